/** Charts as data, independent of the library that draws them. Runs in browsers too. */

export interface Axis {
  name: string;
  /** Whether the axis is logarithmic; every value is then above 0. */
  log?: boolean;
}

export interface Point {
  x: number;
  y: number;
  /** Name of the point; default the name of its series. */
  label?: string;
  /** 95 % interval of `y`. */
  interval?: readonly [number, number];
}

export interface Series {
  name: string;
  /** Name by which many series are colored, such as the kind; default the series' own. */
  group?: string;
  points: readonly Point[];
}

export interface Chart {
  /** `scatter`: labeled points; `line`: points joined in order; `bar`: x is a category. */
  form: 'scatter' | 'line' | 'bar';
  title: string;
  description: string;
  x: Axis;
  y: Axis;
  series: readonly Series[];
  /** Whether a line joins the points that no other point beats in both x and y. */
  frontier?: boolean;
}
