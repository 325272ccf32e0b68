/** Dtypes by the names that the formats of files have for them, and the sizes of their elements. */
import type { DType } from '../torch/tensor.js';

/** Dtypes in the headers of the safetensors files that are written. */
export const safetensorsDtypes: Readonly<Record<string, DType>> = {
  F64: 'float64',
  F32: 'float32',
  F16: 'float16',
  BF16: 'bfloat16',
  I64: 'int64',
  I32: 'int32',
  I16: 'int16',
  I8: 'int8',
  U8: 'uint8',
  BOOL: 'bool',
};

/** Dtypes in the headers of the safetensors files that are read. */
export const readSafetensorsDtypes: Readonly<Record<string, DType>> = {
  ...safetensorsDtypes,
  U16: 'uint16',
  U32: 'uint32',
  U64: 'uint64',
  C64: 'complex64',
  F8_E4M3: 'float8_e4m3fn',
  F8_E5M2: 'float8_e5m2',
  F8_E8M0: 'float8_e8m0fnu',
  F8_E4M3FNUZ: 'float8_e4m3fnuz',
  F8_E5M2FNUZ: 'float8_e5m2fnuz',
};

/** Dtypes in the headers of numpy arrays. */
export const numpyDtypes: Readonly<Record<string, DType>> = {
  '<f8': 'float64',
  '<f4': 'float32',
  '<f2': 'float16',
  '<i8': 'int64',
  '<i4': 'int32',
  '<i2': 'int16',
  '|i1': 'int8',
  '|u1': 'uint8',
  '|b1': 'bool',
  '<u2': 'uint16',
  '<u4': 'uint32',
  '<u8': 'uint64',
  '<c8': 'complex64',
  '<c16': 'complex128',
};

/** Dtypes of the typed storages of PyTorch that are written. */
export const storageDtypes: Readonly<Record<string, DType>> = {
  FloatStorage: 'float32',
  DoubleStorage: 'float64',
  HalfStorage: 'float16',
  BFloat16Storage: 'bfloat16',
  LongStorage: 'int64',
  IntStorage: 'int32',
  ShortStorage: 'int16',
  CharStorage: 'int8',
  ByteStorage: 'uint8',
  BoolStorage: 'bool',
};

/** Dtypes of the typed storages of PyTorch that are read. */
export const readStorageDtypes: Readonly<Record<string, DType>> = {
  ...storageDtypes,
  ComplexFloatStorage: 'complex64',
  ComplexDoubleStorage: 'complex128',
  QInt8Storage: 'qint8',
  QUInt8Storage: 'quint8',
  QInt32Storage: 'qint32',
};

/** Names in PyTorch that are attributes of `torch`, such as `torch.half`. */
export const torchDtypes: Readonly<Record<string, DType>> = {
  float32: 'float32',
  float: 'float32',
  float64: 'float64',
  double: 'float64',
  float16: 'float16',
  half: 'float16',
  bfloat16: 'bfloat16',
  int64: 'int64',
  long: 'int64',
  int32: 'int32',
  int: 'int32',
  int16: 'int16',
  short: 'int16',
  int8: 'int8',
  uint8: 'uint8',
  bool: 'bool',
  uint16: 'uint16',
  uint32: 'uint32',
  uint64: 'uint64',
  complex32: 'complex32',
  chalf: 'complex32',
  complex64: 'complex64',
  cfloat: 'complex64',
  complex128: 'complex128',
  cdouble: 'complex128',
  float8_e4m3fn: 'float8_e4m3fn',
  float8_e5m2: 'float8_e5m2',
  float8_e4m3fnuz: 'float8_e4m3fnuz',
  float8_e5m2fnuz: 'float8_e5m2fnuz',
  float8_e8m0fnu: 'float8_e8m0fnu',
};

/** Dtypes that weights of SAEs and models may have. */
export const weightDtypes: readonly DType[] = ['float32', 'float16', 'bfloat16', 'float64'];

/** Names by dtype, from one of the tables above whose dtypes differ. */
export function namesByDtype(
  dtypes: Readonly<Record<string, DType>>,
): Partial<Readonly<Record<DType, string>>> {
  return Object.fromEntries(Object.entries(dtypes).map(([name, dtype]) => [dtype, name]));
}

/** Bytes of one element. */
export const itemBytes: Readonly<Record<DType, number>> = {
  float32: 4,
  float64: 8,
  float16: 2,
  bfloat16: 2,
  int8: 1,
  uint8: 1,
  int16: 2,
  int32: 4,
  int64: 8,
  bool: 1,
  complex32: 4,
  complex64: 8,
  complex128: 16,
  uint16: 2,
  uint32: 4,
  uint64: 8,
  float8_e4m3fn: 1,
  float8_e5m2: 1,
  float8_e4m3fnuz: 1,
  float8_e5m2fnuz: 1,
  float8_e8m0fnu: 1,
  qint8: 1,
  quint8: 1,
  qint32: 4,
};
