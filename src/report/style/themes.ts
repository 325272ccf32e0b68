/** Colors of HTML reports: light and dark, by the reader's setting or the toggle. */

export const light = `
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

export const themes = `
:root {${light}
}
@media (prefers-color-scheme: dark) {
  :root:not([data-theme="light"]) {${dark}
  }
}
:root[data-theme="dark"] {${dark}
}`;
