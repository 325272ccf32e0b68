/**
 * Opcodes of pickle protocols 0 to 5 that torch.save writes, as steps of the stack machine. Names
 * are those of Python's `pickletools`.
 */
import type { PickleMachine } from './pickle-machine.js';
import { escapedText, quotedText, textNumber } from './pickle-text.js';
import { PickleDict, PickleTuple } from './pickle-values.js';

type Step = (machine: PickleMachine) => void;

/** STOP ends a pickle; its value is on top of the stack. */
export const stop = 0x2e;

const protocol: Step = ({ bytes }) => {
  const version = bytes.u8();
  if (version < 2 || version > 5) bytes.fail(`protocol ${version}; expected 2 to 5`);
};

const pushTuple =
  (length: 1 | 2 | 3): Step =>
  (m) => {
    const items = Array.from({ length }, () => m.pop()).reverse();
    m.push(new PickleTuple(items));
  };

const setItem: Step = (m) => {
  const value = m.pop();
  m.setItems([m.pop(), value]);
};

const stackGlobal: Step = (m) => {
  const name = m.pop();
  m.pushGlobal(m.pop(), name);
};

const callWithKeywords: Step = (m) => {
  m.pop(); // Nothing on an allow-list takes keyword arguments.
  m.call();
};

/** A dict of the items above the mark. */
const markedDict: Step = (m) => {
  const items = m.popToMark();
  m.pushContainer(new PickleDict());
  m.setItems(items);
};

/** A call whose callee the opcode names, with the arguments above the mark. */
const namedCall: Step = (m) => {
  const args = new PickleTuple(m.popToMark());
  m.pushGlobal(m.bytes.line(), m.bytes.line());
  m.callWith(m.pop(), args);
};

/** A call of the first value above the mark, with the others as arguments. */
const markedCall: Step = (m) => {
  const [callee, ...args] = m.popToMark();
  m.callWith(callee, new PickleTuple(args));
};

const frozenSet: Step = (m) => {
  const items = m.popToMark();
  m.pushContainer(new Set());
  m.addItems(items);
};

/** An object of Python's registry of extensions, which only the program that wrote it knows. */
const extension =
  (code: (m: PickleMachine) => number): Step =>
  (m) =>
    m.pushOpaque(`copyreg.extension ${code(m)}`);

const textPersistentId: Step = ({ bytes }) =>
  bytes.fail(
    'a persistent id as text (protocol 0), which torch.load cannot read either; save with the ' +
      'pickle_protocol that torch.save has by default',
  );

const binaryBytes: Step = (m) => m.push(m.bytes.slice(m.bytes.length64()));

export const opcodes: ReadonlyMap<number, Step> = new Map<number, Step>([
  [0x80, protocol], // PROTO
  [0x95, (m) => void m.bytes.length64()], // FRAME

  [0x28, (m) => m.pushMark()], // MARK
  [0x30, (m) => void m.popAny()], // POP
  [0x31, (m) => void m.popToMark()], // POP_MARK
  [0x32, (m) => m.push(m.top())], // DUP

  [0x4e, (m) => m.push(null)], // NONE
  [0x88, (m) => m.push(true)], // NEWTRUE
  [0x89, (m) => m.push(false)], // NEWFALSE
  [0x4b, (m) => m.push(m.bytes.u8())], // BININT1
  [0x4d, (m) => m.push(m.bytes.u16())], // BININT2
  [0x4a, (m) => m.push(m.bytes.i32())], // BININT
  [0x8a, (m) => m.push(m.bytes.long(m.bytes.u8()))], // LONG1
  [0x8b, (m) => m.push(m.bytes.long(m.bytes.u32()))], // LONG4
  [0x47, (m) => m.push(m.bytes.f64())], // BINFLOAT

  [0x49, (m) => m.push(textNumber(m.bytes, 'INT'))],
  [0x4c, (m) => m.push(textNumber(m.bytes, 'LONG'))],
  [0x46, (m) => m.push(textNumber(m.bytes, 'FLOAT'))],

  [0x53, (m) => m.push(quotedText(m.bytes))], // STRING
  [0x56, (m) => m.push(escapedText(m.bytes))], // UNICODE
  [0x8c, (m) => m.push(m.bytes.text(m.bytes.u8()))], // SHORT_BINUNICODE
  [0x58, (m) => m.push(m.bytes.text(m.bytes.u32()))], // BINUNICODE
  [0x8d, (m) => m.push(m.bytes.text(m.bytes.length64()))], // BINUNICODE8
  [0x55, (m) => m.push(m.bytes.text(m.bytes.u8()))], // SHORT_BINSTRING
  [0x54, (m) => m.push(m.bytes.text(m.bytes.u32()))], // BINSTRING
  [0x43, (m) => m.push(m.bytes.slice(m.bytes.u8()))], // SHORT_BINBYTES
  [0x42, (m) => m.push(m.bytes.slice(m.bytes.u32()))], // BINBYTES
  [0x8e, binaryBytes], // BINBYTES8
  [0x96, binaryBytes], // BYTEARRAY8

  [0x29, (m) => m.push(new PickleTuple([]))], // EMPTY_TUPLE
  [0x85, pushTuple(1)], // TUPLE1
  [0x86, pushTuple(2)], // TUPLE2
  [0x87, pushTuple(3)], // TUPLE3
  [0x74, (m) => m.push(new PickleTuple(m.popToMark()))], // TUPLE
  [0x5d, (m) => m.push([])], // EMPTY_LIST
  [0x6c, (m) => m.push(m.popToMark())], // LIST
  [0x61, (m) => m.append([m.pop()])], // APPEND
  [0x65, (m) => m.append(m.popToMark())], // APPENDS
  [0x7d, (m) => m.pushContainer(new PickleDict())], // EMPTY_DICT
  [0x64, markedDict], // DICT
  [0x73, setItem], // SETITEM
  [0x75, (m) => m.setItems(m.popToMark())], // SETITEMS
  [0x8f, (m) => m.pushContainer(new Set())], // EMPTY_SET
  [0x90, (m) => m.addItems(m.popToMark())], // ADDITEMS
  [0x91, frozenSet], // FROZENSET

  [0x70, (m) => m.remember(Number(textNumber(m.bytes, 'INT')))], // PUT
  [0x67, (m) => m.recall(Number(textNumber(m.bytes, 'INT')))], // GET
  [0x71, (m) => m.remember(m.bytes.u8())], // BINPUT
  [0x72, (m) => m.remember(m.bytes.u32())], // LONG_BINPUT
  [0x94, (m) => m.remember()], // MEMOIZE
  [0x68, (m) => m.recall(m.bytes.u8())], // BINGET
  [0x6a, (m) => m.recall(m.bytes.u32())], // LONG_BINGET

  [0x63, (m) => m.pushGlobal(m.bytes.line(), m.bytes.line())], // GLOBAL
  [0x93, stackGlobal], // STACK_GLOBAL
  [0x52, (m) => m.call()], // REDUCE
  [0x81, (m) => m.call()], // NEWOBJ
  [0x92, callWithKeywords], // NEWOBJ_EX
  [0x62, (m) => m.build()], // BUILD
  [0x69, namedCall], // INST
  [0x6f, markedCall], // OBJ
  [0x82, extension((m) => m.bytes.u8())], // EXT1
  [0x83, extension((m) => m.bytes.u16())], // EXT2
  [0x84, extension((m) => m.bytes.i32())], // EXT4
  [0x50, textPersistentId], // PERSID
  [0x51, (m) => m.pushPersistent()], // BINPERSID
]);
