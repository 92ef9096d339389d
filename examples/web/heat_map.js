// A picture of a layer's tables: a line a table, a cell a row. What the last byte read is white and fades through blue; what bytes
// read is the warmer the more of them did.

const LAST = [255, 255, 255];
const FADING = [110, 205, 255];
const HEAT = [
  [0.0, [15, 18, 26]],
  [0.02, [30, 27, 62]],
  [0.35, [84, 32, 108]],
  [0.6, [190, 60, 100]],
  [0.85, [246, 140, 60]],
  [1.0, [255, 222, 120]],
];
const FADES = 0.8; // to so much of it, a byte

function heatColour(heat) {
  let i = 1;
  while (i < HEAT.length - 1 && heat > HEAT[i][0]) ++i;
  const [low, from] = HEAT[i - 1], [high, to] = HEAT[i];
  const share = Math.min(1, Math.max(0, (heat - low) / (high - low)));
  return from.map((value, k) => value + share * (to[k] - value));
}

const PALETTE = Array.from({ length: 256 }, (_, i) => heatColour(i / 255));

export class HeatMap {
  #context;
  #image;
  #counts;
  #flash;
  #most = 1;

  /** `canvas` gets a pixel a cell; its style says how large they are. */
  constructor(canvas, tables, rows) {
    this.canvas = canvas;
    this.tables = tables;
    this.rows = rows;
    canvas.width = rows;
    canvas.height = tables;
    this.#context = canvas.getContext("2d");
    this.#image = this.#context.createImageData(rows, tables);
    this.#counts = new Uint32Array(tables * rows);
    this.#flash = new Float32Array(tables * rows);
  }

  clear() {
    this.#counts.fill(0);
    this.#flash.fill(0);
    this.#most = 1;
  }

  /** A byte read these rows, one of each table. */
  add(rows) {
    for (let i = 0; i < this.#flash.length; ++i) this.#flash[i] *= FADES;
    rows.forEach((row, table) => {
      const cell = table * this.rows + row;
      this.#most = Math.max(this.#most, ++this.#counts[cell]);
      this.#flash[cell] = 1;
    });
  }

  /** How many bytes read a row of a table. */
  count(table, row) {
    return this.#counts[table * this.rows + row];
  }

  /** How many rows were read at all. */
  touched() {
    return this.#counts.reduce((touched, count) => touched + (count > 0), 0);
  }

  /** Draws the state, or with `rows` (one of each table) those alone in white over a dark picture. */
  draw(rows) {
    const pixels = this.#image.data;
    const scale = 255 / Math.log1p(this.#most);
    for (let i = 0; i < this.#counts.length; ++i) {
      const heat = PALETTE[Math.round(Math.log1p(this.#counts[i]) * scale)];
      const flash = rows ? Number(rows[Math.floor(i / this.rows)] === i % this.rows) : this.#flash[i];
      const dim = rows ? 0.35 : 1;
      const light = flash === 1 ? LAST : FADING;
      for (let k = 0; k < 3; ++k) pixels[4 * i + k] = heat[k] * dim * (1 - flash) + light[k] * flash;
      pixels[4 * i + 3] = 255;
    }
    this.#context.putImageData(this.#image, 0, 0);
  }
}
