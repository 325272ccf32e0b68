/**
 * Tensors as text: `String(x)` gives shape, dtype and device; `console.log(x)` adds values, with
 * the middle of long dimensions left out.
 */
import { inspect } from 'node:util';
import { scope } from './scope.js';
import { Tensor, type Complex } from './tensor.js';

/** Length above which only the ends of a dimension are shown. */
const longest = 8;
const ends = 3;

function head(self: Tensor): string {
  return (
    `Tensor(${nested(self) ? 'nested' : `[${self.shape.join(', ')}]`}, ${self.dtype}, ` +
    `${self.device})`
  );
}

/** Whether the tensor is nested: libtorch shows that only by failing to return a shape. */
function nested(self: Tensor): boolean {
  try {
    return self.shape.length < 0;
  } catch {
    return true;
  }
}

function number(value: number | bigint | boolean | Complex): string {
  if (typeof value === 'object')
    return `${number(value.re)}${value.im < 0 ? '-' : '+'}${number(Math.abs(value.im))}i`;
  return typeof value === 'number' && !Number.isInteger(value)
    ? String(Number(value.toPrecision(5)))
    : String(value);
}

function values(part: Tensor, indent: string): string {
  const [length, ...inner] = part.shape;
  if (length === undefined) return number(part.item<number | bigint | boolean | Complex>());
  const shown =
    length > longest
      ? [
          ...Array.from({ length: ends }, (_, i) => i),
          null,
          ...Array.from({ length: ends }, (_, i) => length - ends + i),
        ]
      : Array.from({ length }, (_, i) => i);
  const texts = shown.map((i) => (i === null ? '…' : values(part.select(0, i), `${indent} `)));
  return `[${texts.join(inner.length === 0 ? ', ' : `,\n${indent} `)}]`;
}

function toText(this: Tensor): string {
  return this.disposed ? 'Tensor(disposed)' : head(this);
}

function inspected(this: Tensor): string {
  if (this === Tensor.prototype || this.disposed) return 'Tensor(disposed)';
  if (this.device === 'meta' || this.layout !== 'strided' || nested(this)) return head(this);
  return scope(() => `${head(this)} ${values(this.detach().cpu(), '')}`);
}

Object.assign(Tensor.prototype, { toString: toText, [inspect.custom]: inspected });
