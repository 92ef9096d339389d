// What a module of this project asks of its surroundings, and how it is loaded in browsers and in node. The modules keep to
// WASI's names but need next to nothing of it: a clock, and somewhere for an abort's last words.

const NOT_SUPPORTED = 58; // WASI's errno
const BAD_DESCRIPTOR = 8;

/** The imports of a module whose memory is what `memory()` gives once it runs. */
function systemCalls(memory) {
  const view = () => new DataView(memory().buffer);
  const wasi = {
    // Nanoseconds, of the monotonic clock and of the wall clock alike.
    clock_time_get(clock, _precision, to) {
      const milliseconds = clock === 0 ? Date.now() : performance.now();
      view().setBigUint64(to, BigInt(Math.round(milliseconds * 1e6)), true);
      return 0;
    },
    environ_sizes_get(count, bytes) {
      view().setUint32(count, 0, true);
      view().setUint32(bytes, 0, true);
      return 0;
    },
    environ_get: () => 0,
    fd_write(descriptor, pieces, count, written) {
      const text = new TextDecoder();
      let all = "", bytes = 0;
      for (let i = 0; i < count; ++i) {
        const at = view().getUint32(pieces + 8 * i, true), size = view().getUint32(pieces + 8 * i + 4, true);
        all += text.decode(new Uint8Array(memory().buffer, at, size).slice(), { stream: i + 1 < count });
        bytes += size;
      }
      if (all) (descriptor === 2 ? console.error : console.log)(all.replace(/\n$/, ""));
      view().setUint32(written, bytes, true);
      return 0;
    },
    proc_exit(code) {
      throw new Error(`the WebAssembly module ended with status ${code}`);
    },
  };
  return {
    wasi_snapshot_preview1: wasi,
    env: { emscripten_notify_memory_growth() {} },
  };
}

/** Files are nobody's business here: every other call fails. */
function completed(imports, module) {
  for (const { module: from, name, kind } of WebAssembly.Module.imports(module)) {
    if (kind !== "function") continue;
    imports[from] ??= {};
    imports[from][name] ??= () => (from === "env" ? 0 : name.startsWith("fd_") ? BAD_DESCRIPTOR : NOT_SUPPORTED);
  }
  return imports;
}

async function compiled(source) {
  if (source instanceof WebAssembly.Module) return source;
  if (typeof source === "string" || source instanceof URL) {
    const url = new URL(source, globalThis.document?.baseURI ?? import.meta.url);
    if (url.protocol === "file:" && globalThis.process?.versions?.node) {
      const { readFile } = await import("node:fs/promises");
      source = await readFile(url);
    } else {
      source = await fetch(url);
    }
  }
  if (typeof Response === "function" && source instanceof Response) {
    if (!source.ok) throw new Error(`${source.url}: ${source.status} ${source.statusText}`);
    // Not compileStreaming: it insists on a type that not every file server sends.
    source = await source.arrayBuffer();
  }
  return WebAssembly.compile(source);
}

/**
 * Loads a module and makes it ready to be called.
 * @param {string | URL | Response | BufferSource | WebAssembly.Module} source a URL, or what it would give
 * @returns {Promise<WebAssembly.Exports>}
 */
export async function instantiate(source) {
  const module = await compiled(source);
  let exports;
  const instance = await WebAssembly.instantiate(module, completed(systemCalls(() => exports.memory), module));
  exports = instance.exports;
  exports._initialize();
  return exports;
}
