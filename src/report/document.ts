/** Blocks of a report, independent of the format in which it is printed. */
import type { Chart } from './charts/chart.js';

/** A cell of a table; `best` cells are bold. */
export interface Cell {
  text: string;
  best?: boolean;
}

export interface Table {
  caption: string;
  head: string[];
  rows: Cell[][];
  /** Whether all columns but the first hold numbers and are aligned right. */
  numeric: boolean;
}

export type Block =
  | { kind: 'heading'; level: 1 | 2 | 3; text: string }
  | { kind: 'paragraph'; text: string }
  | { kind: 'list'; items: string[] }
  | { kind: 'finding'; severity: 'info' | 'warning' | 'error'; label: string; text: string }
  | { kind: 'table'; table: Table }
  | { kind: 'chart'; chart: Chart; table: Table }
  | { kind: 'code'; language: string; text: string };

/** A report in one language. */
export interface Document {
  title: string;
  lang: 'en' | 'zh';
  blocks: Block[];
}

export const heading = (level: 1 | 2 | 3, text: string): Block => ({
  kind: 'heading',
  level,
  text,
});
export const paragraph = (text: string): Block => ({ kind: 'paragraph', text });
export const cell = (text: string): Cell => ({ text });
