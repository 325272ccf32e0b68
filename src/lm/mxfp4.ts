/**
 * MXFP4 (OCP Microscaling Formats 1.0): 32 numbers of four bits (E2M1) share a factor, a power of
 * two in a byte (E8M0). Two numbers lie in a byte, the lower half first.
 */
import { fromTypedArray, ops, scope, type DType, type Tensor } from '../torch/index.js';

/** Numbers that share a factor. */
export const numbersPerBlock = 32;

const magnitudes = [0, 0.5, 1, 1.5, 2, 3, 4, 6];
const numberOf = (bits: number): number => (bits < 8 ? magnitudes[bits]! : -magnitudes[bits - 8]!);

/**
 * Numbers of blocks [rows, G, 16] uint8 with factors [rows, G] uint8: [rows, 32·G]. Values of the
 * format are exact in bfloat16 and float32. The caller disposes the result.
 */
export function widenMxfp4(blocks: Tensor, factors: Tensor, dtype: DType): Tensor {
  return scope(() => {
    const { device } = blocks;
    const [rows, groups] = factors.shape as [number, number];
    // Tensors of shapes alone cannot be looked up.
    if (device === 'meta') return ops.empty([rows, numbersPerBlock * groups], { dtype, device });
    const pairs = Float32Array.from({ length: 512 }, (_, i) =>
      numberOf(i % 2 === 0 ? (i >> 1) & 15 : i >> 5),
    );
    const powers = Float32Array.from({ length: 256 }, (_, i) => 2 ** (i - 127));
    const table = (values: Float32Array, shape: number[]): Tensor =>
      fromTypedArray(values, shape, { device }).to({ dtype });
    const look = (values: Tensor, bytes: Tensor): Tensor =>
      ops.embedding(values, bytes.to({ dtype: 'int32' }));
    const numbers = look(table(pairs, [256, 2]), blocks).flatten(-2); // [rows, G, 32]
    return numbers.mul_(look(table(powers, [256, 1]), factors)).flatten(1);
  });
}
