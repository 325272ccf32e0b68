/** Style of print: every column fits a page of A4, in light colors whatever the screen had. */
import { light } from './themes.js';

export const print = `
@media print {
  :root,
  :root[data-theme="dark"],
  :root:not([data-theme="light"]) {${light}
    --paper: #fff;
  }
  @page {
    size: A4;
    margin: 12mm;
  }
  nav,
  #tip {
    display: none;
  }
  .report {
    display: block;
  }
  html[data-lang="en"] .report:not([data-lang="en"]),
  html[data-lang="zh-CN"] .report:not([data-lang="zh-CN"]) {
    display: none;
  }
  body {
    max-width: none;
    padding: 0;
    font-size: 9.5pt;
  }
  h1 {
    font-size: 16pt;
  }
  h2 {
    font-size: 12pt;
    margin-top: 6mm;
    break-after: avoid;
  }
  .scroll {
    overflow: visible;
    background: none;
  }
  table {
    width: 100%;
    font-size: 7pt;
    line-height: 1.3;
  }
  table.numbers th,
  table.numbers td {
    padding: 0.6mm 0.7mm;
    white-space: normal;
  }
  td small {
    font-size: 5pt;
    white-space: nowrap;
  }
  table.numbers tr > :first-child {
    position: static;
    background: none;
    min-width: 18mm;
    max-width: none;
  }
  /* Charts' numbers are printed; what a grouped sentence stands for is not said again. */
  figure details::details-content {
    content-visibility: visible;
    block-size: auto;
  }
  .finding details,
  figure summary,
  figure.long details {
    display: none;
  }
  pre {
    white-space: pre-wrap;
    overflow-wrap: anywhere;
    font-size: 7pt;
  }
  .charts {
    display: block;
  }
  figure {
    max-width: 150mm;
  }
  tr,
  .finding > p,
  figure > svg {
    break-inside: avoid;
  }
}`;
