/**
 * Lanes: copies of a micro-batch that run through the remaining blocks together, compared with each
 * lane run alone through the model's own blocks.
 */
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { LaneStack, type SweptLanes } from '#src/evaluation/engine/lane-stack.js';
import type { LanePlan, StateStart } from '#src/evaluation/engine/lanes.js';
import { loadLanguageModel, type AttentionContext, type LanguageModel } from '#src/lm/index.js';
import { manualSeed, memory, ops, scope, setInferenceMode, type Tensor } from '#src/torch/index.js';
import { deviation, shipped } from '../../golden/load.js';

// Float32 products of other numbers of rows sum in another order; residual streams are about 1.
const tolerance = 1e-4;
const [B, T] = [2, 9];
let model: LanguageModel;
let context: AttentionContext;

beforeAll(async () => {
  setInferenceMode(true);
  model = await loadLanguageModel(shipped('tiny-llama'));
  context = model.context([T, 5], T);
});
afterAll(() => {
  context.dispose();
  model.dispose();
});

type Lane = LanePlan & StateStart;
type Edits = NonNullable<Lane['edits']>;
const lane = (start: number, edits: Edits = new Map()): Lane => ({
  start,
  state: ops.randn([B, T, model.width]),
  edits,
  zero: false,
  targets: [],
});

/** Runs lanes through all blocks. */
function runLanes(lanes: readonly Lane[], lanesPerCall: number): SweptLanes {
  const stack = new LaneStack({ model, context, lanes, B, lanesPerCall });
  lanes.forEach((one, n) => stack.begin(n, one));
  stack.at(0);
  for (let i = 1; i <= model.layers; i++) {
    stack.through(i);
    stack.at(i);
  }
  return stack.finish();
}

/** The final hidden state of one lane by itself: [B, T, d]. */
function alone({ start, state, edits }: Lane): Tensor {
  return scope(() => {
    let r = state.clone();
    for (let layer = start + 1; layer <= model.layers; layer++) {
      r = model.block(layer, r, context);
      r = edits?.get(layer)?.(r) ?? r;
    }
    return model.finalNorm(r);
  });
}

/** Runs lanes together and compares each with itself alone; gives their order. */
function check(lanes: readonly Lane[], lanesPerCall: number): readonly number[] {
  return scope(() => {
    const expected = lanes.map(alone);
    const { hidden: parts, order } = runLanes(lanes, lanesPerCall);
    for (const part of parts.slice(0, -1)) expect(part.shape[0]).toBe(lanesPerCall * B);
    const hidden = ops.cat(parts, 0);
    expect(hidden.shape).toEqual([lanes.length * B, T, model.width]);
    expect([...order].sort((a, b) => a - b)).toEqual(lanes.map((_, index) => index));
    order.forEach((index, place) => {
      const found = hidden.narrow(0, place * B, B);
      expect(deviation(found, expected[index]!).absolute, `lane ${index}`).toBeLessThan(tolerance);
    });
    return order;
  });
}

describe('lanes', () => {
  it.each([1, 2, 3, 5, 8])('join at layers of their own, %i in a call', (lanesPerCall) => {
    manualSeed(1);
    const order = check(
      [12, 3, 16, 3, 0].map((start) => lane(start)),
      lanesPerCall,
    );
    // By the layer they start at, then as given.
    expect(order).toEqual([4, 1, 3, 0, 2]);
  });

  it('may be one, and start after the last block', () => {
    manualSeed(2);
    check([lane(7)], 4);
    check([lane(16), lane(16)], 1);
  });

  it.each([1, 4])('are edited at later layers, each its own, %i in a call', (lanesPerCall) => {
    manualSeed(3);
    const half = (r: Tensor): Tensor => r.mul(0.5);
    const shift = (r: Tensor): Tensor => r.add(1);
    check(
      [
        lane(
          4,
          new Map([
            [5, half],
            [9, shift],
          ]),
        ),
        lane(4),
        lane(9, new Map([[16, shift]])), // another lane's edit and this lane's start
        lane(2, new Map([[4, (r: Tensor) => r]])), // an edit that changes nothing
      ],
      lanesPerCall,
    );
  });

  it('show an edit the residual stream as it stands there', () => {
    manualSeed(4);
    scope(() => {
      const off: number[] = [];
      const { state } = lane(6);
      const first = model.block(7, state, context);
      const second = model.block(8, first.mul(2), context);
      const look =
        (expected: Tensor) =>
        (r: Tensor): Tensor => {
          off.push(deviation(r, expected).absolute);
          return r.mul(2);
        };
      const edits = new Map([
        [7, look(first)],
        [8, look(second)],
      ]);
      runLanes([lane(5), { ...lane(6), state, edits }], 8);
      expect(off).toHaveLength(2);
      expect(Math.max(...off)).toBeLessThan(tolerance);
      return null;
    });
  });

  it('are taken over: their states and all that runs between are freed', () => {
    manualSeed(5);
    const lanes = [lane(10, new Map([[12, (r: Tensor) => r.neg()]])), lane(14), lane(14)];
    const before = memory().handles;
    const { hidden } = runLanes(lanes, 2);
    expect(hidden).toHaveLength(2);
    expect(memory().handles).toBe(before - lanes.length + 2);
    for (const part of hidden) part.dispose();
  });
});
