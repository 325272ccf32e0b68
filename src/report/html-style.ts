/** Style of HTML reports. */
import { charts } from './style/charts.js';
import { page } from './style/page.js';
import { print } from './style/print.js';
import { tables } from './style/tables.js';
import { themes } from './style/themes.js';

export const htmlStyle = `${themes}
${page}
${tables}
${charts}
${print}
`;
