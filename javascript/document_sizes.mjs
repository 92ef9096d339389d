#!/usr/bin/env node
// document_sizes.mjs [--check] DOCUMENT MODULE.wasm ...: writes the table of modules' sizes in a document again. --check: says
// where the document is off by more than 2 %, which another version of a compiler may be.
import { readFileSync, writeFileSync } from "node:fs";
import { basename } from "node:path";
import { brotliCompressSync, gzipSync } from "node:zlib";

const files = process.argv.slice(2).filter((argument) => argument !== "--check");
const check = process.argv.includes("--check");
const document = files.shift();
const kilobytes = (bytes) => Math.round(bytes / 1000);
const rows = files.map((file) => {
  const bytes = readFileSync(file);
  return [basename(file), ...[bytes, gzipSync(bytes, { level: 9 }), brotliCompressSync(bytes)].map(({ length }) => kilobytes(length))];
});
const table = ["| module | kB | with gzip | with brotli |", "|---|---|---|---|",
  ...rows.map(([name, ...sizes]) => `| \`${name}\` | ${sizes.join(" | ")} |`)].join("\n");

const text = readFileSync(document, "utf8");
const place = /(<!-- sizes -->\n)([^]*?)(\n<!-- \/sizes -->)/;
const [, , written] = text.match(place) ?? [];
if (written === undefined) {
  console.error(`${document} has no <!-- sizes --> ... <!-- /sizes -->`);
  process.exit(1);
}
if (!check) {
  writeFileSync(document, text.replace(place, (_, begin, __, end) => begin + table + end));
} else {
  for (const [name, ...sizes] of rows) {
    const line = written.split("\n").find((one) => one.includes(`\`${name}\``)) ?? "";
    const stated = line.split("|").slice(2, 5).map(Number);
    if (sizes.some((size, i) => !(Math.abs(stated[i] - size) <= 0.02 * size + 1))) {
      console.error(`${document} states ${stated.join(", ")} kB for ${name}, which has ${sizes.join(", ")}: run ` +
        `javascript/document_sizes.mjs ${document} ${files.join(" ")}`);
      process.exitCode = 1;
    }
  }
}
