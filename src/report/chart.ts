/** Charts as data, independent of the library that draws them. */

export interface Axis {
  name: string;
  log?: boolean;
}

export interface Series {
  name: string;
  points: { x: number; y: number; label?: string }[];
}

export interface Chart {
  /** `scatter`: labeled points; `line`: points joined in order; `bar`: x is a category. */
  form: 'scatter' | 'line' | 'bar';
  title: string;
  description: string;
  x: Axis;
  y: Axis;
  series: Series[];
}
