/**
 * Looks up the tensors of a file by name and checks their shapes, for the describers of formats.
 */
import { weightDtypes } from '../../checkpoint/dtypes.js';
import type { Checkpoint } from '../../checkpoint/read.js';
import { SaeEvalError } from '../../errors.js';
import type { Weight } from '../description.js';

const shapeText = (shape: readonly number[]): string => `[${shape.join(', ')}]`;

export class Tensors {
  constructor(readonly checkpoint: Checkpoint) {}

  has(name: string): boolean {
    return this.checkpoint.entries.has(name);
  }

  /** The first of these names that the file has, else the first. */
  either(...names: [string, ...string[]]): string {
    return names.find((name) => this.has(name)) ?? names[0];
  }

  #wrongShape(name: string, expected: string, found: readonly number[]): SaeEvalError {
    return new SaeEvalError(
      'checkpoint-shape',
      `${this.checkpoint.path}: expected '${name}' of shape ${expected}, found ` +
        `${shapeText(found)}.`,
    );
  }

  /**
   * The shape of a tensor of numbers. @throws SaeEvalError `checkpoint-keys`, `checkpoint-shape`.
   */
  shape(name: string): number[] {
    const { path, entries, opaque } = this.checkpoint;
    const entry = entries.get(name);
    const unread = opaque.get(name);
    if (entry === undefined && unread !== undefined)
      throw new SaeEvalError(
        'checkpoint-shape',
        `${path}: expected '${name}' to be a plain tensor, found ${unread.what}.`,
      );
    if (entry === undefined) {
      const found = [...entries.keys()].slice(0, 12).map((key) => `'${key.slice(0, 60)}'`);
      throw new SaeEvalError(
        'checkpoint-keys',
        `${path}: expected a tensor '${name}', found ${found.join(', ') || 'none'}.`,
      );
    }
    if (weightDtypes.includes(entry.dtype)) return entry.shape;
    throw new SaeEvalError(
      'checkpoint-shape',
      `${path}: expected '${name}' in ${weightDtypes.join(', ')}, found ${entry.dtype}.`,
    );
  }

  /**
   * Its name, with the shape checked. @throws SaeEvalError `checkpoint-keys`, `checkpoint-shape`.
   */
  vector(name: string, ...shapes: number[][]): string {
    const shape = this.shape(name);
    if (shapes.some((expected) => shapeText(expected) === shapeText(shape))) return name;
    throw this.#wrongShape(name, shapes.map(shapeText).join(' or '), shape);
  }

  /** Name of thresholds: one for each latent, or one for all. */
  threshold(name: string, m: number): string {
    return this.vector(name, [m], [], [1]);
  }

  /** A matrix of the shape that is stored; if d = m, only its name tells the orientation. */
  weight(name: string, stored: [number, number], wanted: 'as stored' | 'transposed'): Weight {
    return { tensor: this.vector(name, stored), transpose: wanted === 'transposed' };
  }

  /** The two sizes of a matrix. @throws SaeEvalError `checkpoint-keys`, `checkpoint-shape`. */
  matrix(name: string, meaning: string): [number, number] {
    const shape = this.shape(name);
    if (shape.length === 2 && !shape.includes(0)) return shape as [number, number];
    throw this.#wrongShape(name, meaning, shape);
  }
}
