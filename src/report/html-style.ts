/** Style of HTML reports: light and dark by the reader's setting or the toggle, and for print. */
export const htmlStyle = `
:root {
  color-scheme: light dark;
  --ink: #1c2024;
  --soft: #60646c;
  --line: #d9d9e0;
  --paper: #fcfcfd;
  --best: #0b6e4f;
  --info: #0b68cb;
  --warning: #ad5700;
  --error: #ce2c31;
}
@media (prefers-color-scheme: dark) {
  :root:not([data-theme="light"]) {
    --ink: #edeef0;
    --soft: #b0b4ba;
    --line: #363a3f;
    --paper: #111113;
    --best: #4cc38a;
    --info: #70b8ff;
    --warning: #ffca16;
    --error: #ff9592;
  }
}
:root[data-theme="dark"] {
  color-scheme: dark;
  --ink: #edeef0;
  --soft: #b0b4ba;
  --line: #363a3f;
  --paper: #111113;
  --best: #4cc38a;
  --info: #70b8ff;
  --warning: #ffca16;
  --error: #ff9592;
}
:root[data-theme="light"] {
  color-scheme: light;
}
html[data-lang="en"] main:not([data-lang="en"]),
html[data-lang="zh-CN"] main:not([data-lang="zh-CN"]) {
  display: none;
}
nav {
  display: flex;
  gap: 0.5rem;
  justify-content: flex-end;
}
nav button {
  font: inherit;
  font-size: 0.85rem;
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
figure {
  margin: 1.2rem 0 2rem;
  max-width: 46rem;
}
figure svg {
  display: block;
  width: 100%;
  height: auto;
}
figcaption {
  font-weight: 600;
  margin-top: 0.3rem;
}
details {
  margin-top: 0.3rem;
  color: var(--soft);
}
summary {
  cursor: pointer;
}
* {
  box-sizing: border-box;
}
body {
  margin: 0 auto;
  max-width: 84rem;
  padding: 2rem 1rem 4rem;
  font:
    16px/1.55 system-ui,
    "Noto Sans CJK SC",
    sans-serif;
  color: var(--ink);
  background: var(--paper);
}
h1 {
  font-size: 1.7rem;
  line-height: 1.25;
}
h2 {
  margin-top: 2.5rem;
  font-size: 1.2rem;
  border-bottom: 1px solid var(--line);
  padding-bottom: 0.3rem;
}
.scroll {
  overflow-x: auto;
}
table {
  border-collapse: collapse;
  margin: 0.5rem 0 1rem;
  font-variant-numeric: tabular-nums;
  font-size: 0.92rem;
}
caption {
  text-align: left;
  color: var(--soft);
  padding: 0.3rem 0;
}
th,
td {
  padding: 0.3rem 0.7rem;
  border-bottom: 1px solid var(--line);
  text-align: left;
  vertical-align: top;
}
table.numbers td,
table.numbers thead th:not(:first-child) {
  text-align: right;
  white-space: nowrap;
}
table.numbers th[scope="row"] {
  white-space: nowrap;
}
td small {
  display: block;
  font-weight: 400;
  color: var(--soft);
}
td.best {
  font-weight: 700;
  color: var(--best);
}
.finding {
  border-left: 0.25rem solid var(--info);
  padding: 0.2rem 0.8rem;
  margin: 0.6rem 0;
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
}
p,
li {
  max-width: 60rem;
  overflow-wrap: anywhere;
}
@media print {
  nav,
  details {
    display: none;
  }
  body {
    max-width: none;
    padding: 0;
    font-size: 11px;
  }
  h2 {
    break-after: avoid;
  }
  tr,
  .finding {
    break-inside: avoid;
  }
}
`;
