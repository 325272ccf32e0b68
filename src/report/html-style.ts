/** Style of HTML reports: light and dark by the reader's setting or the toggle, and for print. */

const light = `
  color-scheme: light;
  --ink: #1c2024;
  --soft: #60646c;
  --line: #d9d9e0;
  --paper: #fcfcfd;
  --shade: #f0f0f3;
  --best: #0b6e4f;
  --info: #0b68cb;
  --warning: #ad5700;
  --error: #ce2c31;`;

const dark = `
  color-scheme: dark;
  --ink: #edeef0;
  --soft: #b0b4ba;
  --line: #363a3f;
  --paper: #111113;
  --shade: #1b1b1f;
  --best: #4cc38a;
  --info: #70b8ff;
  --warning: #ffca16;
  --error: #ff9592;`;

const page = `
* {
  box-sizing: border-box;
}
body {
  margin: 0 auto;
  max-width: 100rem;
  padding: 1.5rem 1rem 4rem;
  font:
    16px/1.55 system-ui,
    "Noto Sans CJK SC",
    sans-serif;
  color: var(--ink);
  background: var(--paper);
}
html[data-lang="en"] .report:not([data-lang="en"]),
html[data-lang="zh-CN"] .report:not([data-lang="zh-CN"]) {
  display: none;
}
main {
  min-width: 0;
}
nav {
  font-size: 0.88rem;
}
.buttons {
  display: flex;
  flex-wrap: wrap;
  gap: 0.5rem;
}
nav ol {
  list-style: none;
  margin: 0.4rem 0;
  padding: 0;
}
nav li {
  padding: 0.12rem 0;
}
nav a {
  color: var(--soft);
  text-decoration: none;
}
nav a:hover,
nav a:focus-visible {
  color: var(--ink);
  text-decoration: underline;
}
nav details {
  margin-top: 0.8rem;
}
@media (min-width: 75rem) {
  .report {
    display: grid;
    grid-template-columns: 13rem minmax(0, 1fr);
    gap: 2.5rem;
  }
  nav {
    position: sticky;
    top: 1.5rem;
    align-self: start;
    max-height: calc(100vh - 3rem);
    overflow-y: auto;
  }
}
nav button {
  font: inherit;
  color: var(--soft);
  background: none;
  border: 1px solid var(--line);
  border-radius: 0.4rem;
  padding: 0.2rem 0.7rem;
  cursor: pointer;
}
nav button:hover,
nav button:focus-visible {
  color: var(--ink);
  border-color: var(--soft);
}
h1 {
  font-size: 1.7rem;
  line-height: 1.25;
  margin-top: 0.5rem;
}
h2 {
  margin-top: 2.5rem;
  font-size: 1.2rem;
  border-bottom: 1px solid var(--line);
  padding-bottom: 0.3rem;
  scroll-margin-top: 1rem;
}
h2 a {
  color: inherit;
  text-decoration: none;
}
h2 a:hover::after,
h2 a:focus-visible::after {
  content: " #";
  color: var(--soft);
}
p,
li {
  max-width: 60rem;
  overflow-wrap: anywhere;
}
li {
  margin: 0.25rem 0;
}
.lead {
  font-size: 1.05rem;
}
.note {
  margin: 0.1rem 0;
  font-size: 0.85rem;
  color: var(--soft);
}
.note:last-of-type {
  margin-bottom: 1rem;
}
details {
  margin-top: 0.3rem;
  color: var(--soft);
}
summary {
  cursor: pointer;
}
.finding {
  border-left: 0.25rem solid var(--info);
  padding: 0.1rem 0.8rem;
  margin: 0.6rem 0;
}
.finding p {
  margin: 0.2rem 0;
}
.finding.warning {
  border-color: var(--warning);
}
.finding.error {
  border-color: var(--error);
}
pre {
  overflow-x: auto;
  padding: 0.8rem;
  border: 1px solid var(--line);
  border-radius: 0.4rem;
  font-size: 0.85rem;
}`;

const tables = `
.scroll {
  overflow-x: auto;
  max-width: 100%;
  /* Shadows at the edges behind which columns are hidden. */
  background:
    linear-gradient(to right, var(--paper) 30%, transparent) 0 0 / 2rem 100% no-repeat local,
    linear-gradient(to left, var(--paper) 30%, transparent) 100% 0 / 2rem 100% no-repeat local,
    linear-gradient(to left, var(--line), transparent) 100% 0 / 0.8rem 100% no-repeat scroll;
}
table {
  border-collapse: collapse;
  margin: 0.5rem 0 0.4rem;
  font-variant-numeric: tabular-nums;
  font-size: 0.9rem;
}
caption {
  text-align: left;
  color: var(--soft);
  padding: 0.3rem 0;
}
th,
td {
  padding: 0.3rem 0.6rem;
  border-bottom: 1px solid var(--line);
  text-align: left;
  vertical-align: top;
}
table.numbers td,
table.numbers thead th:not(:first-child) {
  text-align: right;
}
table.numbers td {
  white-space: nowrap;
}
table.numbers td:last-child {
  white-space: normal;
}
table.numbers thead th {
  vertical-align: bottom;
}
table.numbers tr > :first-child {
  position: sticky;
  left: 0;
  background: var(--paper);
  min-width: min(7rem, 28vw);
  max-width: min(18rem, 40vw);
  overflow-wrap: break-word;
}
tbody tr:hover > * {
  background: var(--shade);
}
button.sort {
  font: inherit;
  font-weight: inherit;
  color: inherit;
  text-align: inherit;
  background: none;
  border: 0;
  padding: 0;
  cursor: pointer;
}
button.sort:hover,
button.sort:focus-visible {
  text-decoration: underline;
}
th[aria-sort="ascending"] button::after {
  content: " ▲";
  font-size: 0.7em;
}
th[aria-sort="descending"] button::after {
  content: " ▼";
  font-size: 0.7em;
}
td small {
  display: block;
  font-weight: 400;
  white-space: nowrap;
  color: var(--soft);
}
td.best {
  font-weight: 700;
  color: var(--best);
}`;

const charts = `
.charts {
  display: grid;
  grid-template-columns: repeat(auto-fit, minmax(min(100%, 27rem), 1fr));
  gap: 1.5rem 2.5rem;
}
figure {
  margin: 0.5rem 0;
  min-width: 0;
}
figure > svg {
  display: block;
  width: 100%;
  height: auto;
}
figcaption {
  font-weight: 600;
  margin-bottom: 0.3rem;
}
.legend {
  display: flex;
  flex-wrap: wrap;
  gap: 0.2rem 1rem;
  list-style: none;
  padding: 0;
  margin: 0.3rem 0;
  font-size: 0.85rem;
}
.legend svg {
  width: 0.7rem;
  height: 0.7rem;
  margin-right: 0.35rem;
}
[data-tip]:hover {
  opacity: 0.7;
}
#tip {
  position: fixed;
  z-index: 2;
  max-width: 22rem;
  padding: 0.4rem 0.6rem;
  font-size: 0.85rem;
  white-space: pre-line;
  overflow-wrap: anywhere;
  pointer-events: none;
  color: var(--ink);
  background: var(--paper);
  border: 1px solid var(--soft);
  border-radius: 0.4rem;
}`;

/** Every column fits a page of A4, in light colors whatever the screen had. */
const print = `
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

export const htmlStyle = `
:root {${light}
}
@media (prefers-color-scheme: dark) {
  :root:not([data-theme="light"]) {${dark}
  }
}
:root[data-theme="dark"] {${dark}
}
${page}
${tables}
${charts}
${print}
`;
