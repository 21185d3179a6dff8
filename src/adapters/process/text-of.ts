import type { Readable } from 'node:stream';

/** What a stream says until it ends: at most so many bytes of it, the rest is read and dropped. Never rejects. */
export async function textOf(stream: Readable, limitBytes: number): Promise<string> {
  const kept: Buffer[] = [];
  let heldBytes = 0;
  try {
    for await (const chunk of stream) {
      if (!Buffer.isBuffer(chunk)) continue;
      const bytes = chunk.subarray(0, limitBytes - heldBytes);
      kept.push(bytes);
      heldBytes += bytes.length;
    }
  } catch {
    // The stream was closed under us: what came before stands.
  }
  return Buffer.concat(kept).toString('utf8');
}
