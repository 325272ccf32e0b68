/**
 * The minimum of a smooth convex function by L-BFGS (Liu and Nocedal 1989): steps from the last ten
 * changes of the gradient, halved until the function falls enough.
 */

/** The value at a point; writes the gradient there. */
export type Objective = (point: Float64Array, gradient: Float64Array) => number;

export interface MinimumOptions {
  /** Most steps; default 1000. */
  steps?: number;
  /** Largest part of a gradient at which the search ends; default 1e-6. */
  tolerance?: number;
}

/** Changes that are remembered. */
const memory = 10;

/** Part of the fall that the slope promises with which a step is taken (Armijo). */
const enough = 1e-4;

interface Change {
  point: Float64Array;
  gradient: Float64Array;
  /** 1 / ⟨point, gradient⟩. */
  rho: number;
}

function dot(a: Float64Array, b: Float64Array): number {
  let sum = 0;
  for (let i = 0; i < a.length; i++) sum += a[i]! * b[i]!;
  return sum;
}

function addTo(target: Float64Array, factor: number, values: Float64Array): void {
  for (let i = 0; i < target.length; i++) target[i]! += factor * values[i]!;
}

/** The direction against the gradient, by the two loops over the changes. */
function direction(gradient: Float64Array, changes: readonly Change[]): Float64Array {
  const q = gradient.map((value) => -value);
  const factors = new Float64Array(changes.length);
  for (let n = changes.length - 1; n >= 0; n--) {
    const { point, gradient: change, rho } = changes[n]!;
    factors[n] = rho * dot(point, q);
    addTo(q, -factors[n]!, change);
  }
  const last = changes.at(-1);
  if (last !== undefined) {
    const scale = 1 / (last.rho * dot(last.gradient, last.gradient));
    for (let i = 0; i < q.length; i++) q[i]! *= scale;
  }
  for (const [n, { point, gradient: change, rho }] of changes.entries())
    addTo(q, factors[n]! - rho * dot(change, q), point);
  return q;
}

const largest = (values: Float64Array): number =>
  values.reduce((most, value) => Math.max(most, Math.abs(value)), 0);

/** The point of the smallest value, from `start` on. */
export function minimum(
  objective: Objective,
  start: Float64Array,
  { steps = 1000, tolerance = 1e-6 }: MinimumOptions = {},
): Float64Array {
  let point = start.slice();
  let gradient = new Float64Array(point.length);
  let value = objective(point, gradient);
  let changes: Change[] = [];
  for (let step = 0; step < steps && largest(gradient) > tolerance; step++) {
    let way = direction(gradient, changes);
    let slope = dot(way, gradient);
    if (!(slope < 0)) {
      changes = [];
      way = gradient.map((one) => -one);
      slope = -dot(gradient, gradient);
    }
    // Without changes the size of a step is unknown.
    let length = changes.length === 0 ? Math.min(1, 1 / Math.sqrt(-slope)) : 1;
    const next = new Float64Array(point.length);
    const nextGradient = new Float64Array(point.length);
    let nextValue = Infinity;
    for (let halvings = 0; halvings < 50; halvings++, length /= 2) {
      next.set(point);
      addTo(next, length, way);
      nextValue = objective(next, nextGradient);
      if (nextValue <= value + enough * length * slope) break;
    }
    if (!(nextValue < value)) break;
    const change = {
      point: next.map((one, i) => one - point[i]!),
      gradient: nextGradient.map((one, i) => one - gradient[i]!),
    };
    const curvature = dot(change.point, change.gradient);
    if (curvature > 1e-12 * dot(change.gradient, change.gradient))
      changes = [...changes.slice(-(memory - 1)), { ...change, rho: 1 / curvature }];
    [point, gradient, value] = [next, nextGradient, nextValue];
  }
  return point;
}
