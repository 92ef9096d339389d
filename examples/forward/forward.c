/* Opens a model, packs one of its layers, runs it on made-up tokens and prints what comes out.
 *
 *   forward MODEL.safetensors [PREFIX] */
#include <lookupffn/lookupffn.h>
#include <stdio.h>
#include <stdlib.h>

enum { kTokens = 4 };

static int failed(lookupffn_status status) {
  if (status == LOOKUPFFN_OK) return 0;
  fprintf(stderr, "forward: %s\n", lookupffn_last_message());
  return 1;
}

int main(int argc, char **argv) {
  if (argc < 2 || argc > 3) {
    fprintf(stderr, "usage: forward MODEL.safetensors [PREFIX]\n");
    return 2;
  }
  lookupffn_model *model = NULL;
  lookupffn_layer *layer = NULL;
  lookupffn_layer_info info;
  if (failed(lookupffn_model_open(argv[1], &model))) return 1;
  int bad = failed(lookupffn_layer_pack(model, argc == 3 ? argv[2] : NULL, NULL, &layer));
  lookupffn_model_close(model); /* the packed layer does not need it */
  if (bad || failed(lookupffn_layer_describe(layer, &info))) return 1;

  const size_t d_in = info.shape.d_in, d_out = info.shape.d_out;
  printf("%zu tables of %zu rows, %zu to %zu, on %s (%s kernels)\n", info.shape.tables, info.shape.rows, d_in, d_out, info.isa,
         info.specialised ? "specialised" : "generic");

  float *x = malloc(kTokens * d_in * sizeof *x), *y = malloc(kTokens * d_out * sizeof *y);
  if (!x || !y) {
    fprintf(stderr, "forward: out of memory\n");
    return 1;
  }
  for (size_t i = 0; i < kTokens * d_in; ++i) x[i] = (float)(i * 37 % 101) / 50 - 1;
  bad = failed(lookupffn_forward(layer, NULL, x, (ptrdiff_t)d_in, y, (ptrdiff_t)d_out, kTokens, 0));
  for (size_t n = 0; n < kTokens && !bad; ++n) {
    printf("y[%zu] =", n);
    for (size_t i = 0; i < d_out && i < 6; ++i) printf(" %9.5f", (double)y[n * d_out + i]);
    printf(d_out > 6 ? " ...\n" : "\n");
  }
  free(x);
  free(y);
  lookupffn_layer_free(layer);
  return bad;
}
