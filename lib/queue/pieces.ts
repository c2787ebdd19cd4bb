/** How parts of a picture cross the border: each with its length before it. Both sides run on one kind of processor. */

/** Bytes of a length. */
const LENGTH_BYTES = 4;

export function joinPiece(parts: readonly Uint8Array[]): Buffer {
  const total = parts.reduce((sum, part) => sum + LENGTH_BYTES + part.length, 0);
  const piece = Buffer.allocUnsafe(total);
  let at = 0;
  for (const part of parts) {
    at = piece.writeUInt32LE(part.length, at);
    piece.set(part, at);
    at += part.length;
  }
  return piece;
}

/** Throws a `RangeError` when it has not so many parts. */
export function splitPiece(piece: Buffer, count: number): readonly Buffer[] {
  const parts: Buffer[] = [];
  let at = 0;
  for (let number = 0; number < count; number += 1) {
    const start = at + LENGTH_BYTES;
    const end = start + piece.readUInt32LE(at);
    if (end > piece.length) throw new RangeError('a part of the picture is cut off');
    parts.push(piece.subarray(start, end));
    at = end;
  }
  if (at !== piece.length) throw new RangeError('the picture has more parts than it should');
  return parts;
}
