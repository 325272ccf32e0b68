/** Numbers from the bytes of a file, little-endian. */
import type { DType } from '../torch/tensor.js';
import { itemBytes } from './dtypes.js';

/** Value of a float16 from its bits (IEEE 754 binary16). */
function half(bits: number): number {
  const sign = bits & 0x8000 ? -1 : 1;
  const exponent = (bits >> 10) & 0x1f;
  const fraction = bits & 0x3ff;
  if (exponent === 0) return sign * fraction * 2 ** -24;
  if (exponent === 31) return fraction === 0 ? sign * Infinity : NaN;
  return sign * (1 + fraction / 1024) * 2 ** (exponent - 15);
}

/** The number at an offset; undefined if the bytes end before it, or for dtypes of other values. */
export function numberAt(bytes: Uint8Array, offset: number, dtype: DType): number | undefined {
  if (offset + itemBytes[dtype] > bytes.length) return undefined;
  const view = new DataView(bytes.buffer, bytes.byteOffset + offset, itemBytes[dtype]);
  switch (dtype) {
    case 'float32':
      return view.getFloat32(0, true);
    case 'float64':
      return view.getFloat64(0, true);
    case 'float16':
      return half(view.getUint16(0, true));
    case 'bfloat16': {
      const widened = new DataView(new ArrayBuffer(4));
      widened.setUint16(2, view.getUint16(0, true), true);
      return widened.getFloat32(0, true);
    }
    case 'int64':
      return Number(view.getBigInt64(0, true));
    case 'uint64':
      return Number(view.getBigUint64(0, true));
    case 'int32':
      return view.getInt32(0, true);
    case 'uint32':
      return view.getUint32(0, true);
    case 'int16':
      return view.getInt16(0, true);
    case 'uint16':
      return view.getUint16(0, true);
    case 'int8':
      return view.getInt8(0);
    case 'uint8':
    case 'bool':
      return view.getUint8(0);
    default:
      return undefined;
  }
}
