// Resolver for eslint-plugin-boundaries: an import such as `./tensor.js` means the TypeScript file
// beside it.
const { existsSync } = require('node:fs');
const { builtinModules } = require('node:module');
const { dirname, join, resolve } = require('node:path');

const builtin = new Set(builtinModules);

exports.interfaceVersion = 2;

exports.resolve = (source, file) => {
  if (source.startsWith('node:') || builtin.has(source)) return { found: true, path: null };
  const inPackage = /^#(src|server)\//.test(source);
  if (!inPackage && !source.startsWith('.')) return { found: false };
  const path = inPackage ? join(__dirname, source.slice(1)) : resolve(dirname(file), source);
  const found = [path.replace(/\.js$/, '.ts'), path.replace(/\.js$/, '.d.ts'), path].find(
    (candidate) => existsSync(candidate),
  );
  return found === undefined ? { found: false } : { found: true, path: found };
};
