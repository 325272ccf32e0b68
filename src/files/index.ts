/** The files and folders that requests name: looked at and opened here, and nowhere else. */
export {
  confinedTo,
  confineTo,
  isBelow,
  leadsOutside,
  leavesOnItsWay,
  type Within,
} from './confinement.js';
export { holding } from './held.js';
export {
  entriesIn,
  entriesLater,
  factsIfAny,
  factsOf,
  isFile,
  isFolder,
  isThere,
  namesIn,
} from './look.js';
export { makeFolder } from './make-folder.js';
export { holdingFile, openFile, openFileHandle } from './open.js';
