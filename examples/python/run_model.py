"""Runs the first layer of a model: python3 run_model.py MODEL"""

import sys

import lookupffn
import numpy

model = lookupffn.Model(sys.argv[1])
layer = model.pack(model.layers[0].prefix)
y = layer.forward(numpy.random.default_rng(0).standard_normal((5, layer.shape.d_in), numpy.float32))
print(layer, y.shape, y[0, :3])
