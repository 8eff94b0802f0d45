import { convertIndexedToRgb, decode } from "npm:fast-png@^8.0.0";

/**
 * The perceptual hash of a PNG: 64 bits, each of which tells whether the picture gets brighter from one
 * spot to the next. Pictures that look alike differ in few of them, whatever their size.
 */
export default async function imageHash({ file }: { file: string }) {
  const png = decode(await Deno.readFile(new URL(file, import.meta.url)));
  const { width, height, palette } = png;
  if (palette === undefined && png.depth < 8) {
    throw new TypeError(`Cannot hash a picture with ${png.depth} bits a pixel`);
  }
  const data = palette ? convertIndexedToRgb(png) : png.data;
  const channels = palette ? palette[0].length : png.channels;

  /** The mean brightness of one of nine columns in one of eight rows. */
  const brightness = (column: number, row: number) => {
    const [left, top] = [Math.floor(column * width / 9), Math.floor(row * height / 8)];
    const right = Math.max(left + 1, Math.floor((column + 1) * width / 9));
    const bottom = Math.max(top + 1, Math.floor((row + 1) * height / 8));
    let sum = 0;
    for (let y = top; y < bottom; y++) {
      for (let x = left; x < right; x++) {
        const [red, green, blue] = data.subarray((y * width + x) * channels);
        sum += channels < 3 ? red : 0.3 * red + 0.59 * green + 0.11 * blue;
      }
    }
    return sum / ((right - left) * (bottom - top));
  };

  let bits = 0n;
  for (let i = 0; i < 64; i++) {
    const [column, row] = [i % 8, Math.floor(i / 8)];
    bits = 2n * bits + (brightness(column, row) < brightness(column + 1, row) ? 1n : 0n);
  }
  return { width, height, hash: bits.toString(16).padStart(16, "0") };
}
