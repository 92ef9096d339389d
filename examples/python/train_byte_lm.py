"""Trains a small language model over bytes from scratch, with LookupFFN in place of its feed-forward layers.

    python3 examples/python/train_byte_lm.py --steps 1000 --out model.safetensors

The text is Python's own reference manual, or any file. The last 5 % of it are kept back for the evaluation, which runs on the
packed kernels. The file that comes out is read by lookupffn.Model, the C API and `lookupffn build`.
"""

import argparse
import time

import torch
from byte_lm import ByteLm, batches, read_text, save

import lookupffn


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--text", help="a file to learn (default: the reference manual of Python)")
    parser.add_argument("--out", default="byte_lm.safetensors", help="the model file (default %(default)s)")
    parser.add_argument("--steps", type=int, default=1000)
    parser.add_argument("--batch", type=int, default=16, help="sequences a step (default %(default)s)")
    parser.add_argument("--d", type=int, default=128, help="width (default %(default)s)")
    parser.add_argument("--layers", type=int, default=2)
    parser.add_argument("--tables", type=int, default=32, help="of a layer (default %(default)s)")
    parser.add_argument("--bits", type=int, default=8, help="of a code: 2^bits rows a table (default %(default)s)")
    parser.add_argument("--lr", type=float, default=2e-3)
    options = parser.parse_args()

    torch.manual_seed(0)
    text = read_text(options.text)
    held_back = max(len(text) // 20, 200)
    training, evaluation = text[:-held_back], text[-held_back:]
    model = ByteLm(
        options.d,
        options.layers,
        make_ffn=lambda d: lookupffn.nn.LookupFFN(d, d, options.tables, options.bits, sparse=True),
    )
    optimizer = lookupffn.optim.RowAdam(lookupffn.nn.parameter_groups(model, options.lr))
    warm_up = min(100, options.steps // 10 + 1)
    schedule = torch.optim.lr_scheduler.LambdaLR(
        optimizer, lambda step: min((step + 1) / warm_up, 1) * max(1 - step / options.steps, 0.05)
    )

    begin, mean = time.monotonic(), None
    for step, ids in zip(range(1, options.steps + 1), batches(training, options.batch, 128, torch.Generator().manual_seed(1))):
        optimizer.zero_grad()
        loss = model.loss(ids)
        loss.backward()
        torch.nn.utils.clip_grad_norm_([p for p in model.parameters() if not p.grad.is_sparse], 1.0)
        optimizer.step()
        schedule.step()
        mean = float(loss) if mean is None else 0.95 * mean + 0.05 * float(loss)
        if step % max(1, options.steps // 20) == 0 or step == 1:
            seconds = time.monotonic() - begin
            left = seconds / step * (options.steps - step)
            print(
                f"step {step} of {options.steps}: loss {mean:.3f} nats a byte, {optimizer.rows_touched} rows a step;"
                f" {seconds:.0f} s, {left:.0f} s left",
                flush=True,
            )

    optimizer.flush()
    save(model, options.out)
    model.eval()
    with torch.no_grad():
        sequences = evaluation[: len(evaluation) // 129 * 129].view(-1, 129)
        print(f"evaluation on packed kernels ({lookupffn.active_isa()}): {float(model.loss(sequences)):.3f} nats a byte")
    prompt = b"The statement "
    print(model.continued(prompt, 100).decode(errors="replace"))
    print(f"wrote {options.out}; its layers: {lookupffn.Model(options.out)}")


if __name__ == "__main__":
    main()
