#!/usr/bin/env node
// SPDX-License-Identifier: Apache-2.0
// Asks a server of the Open Inference Protocol about itself and a model, then sends the same input
// twice: as raw bytes and as typed contents. README.md beside this file tells how to run it.
//
// Exit status: 0 answered, 1 the server refused or could not be asked, 2 wrong command line or input.
'use strict';

const fs = require('node:fs');
const path = require('node:path');
const {parseArgs, promisify} = require('node:util');

const grpc = require('@grpc/grpc-js');
const protoLoader = require('@grpc/proto-loader');

const PROTO = path.join(__dirname, '../../../proto/inference/open_inference_grpc.proto');
const USAGE = `usage: node infer.js --address HOST:PORT --model NAME [--version N]
                     [--input FILE.json] [--timeout SECONDS]

  --input    JSON array of the numbers of the model's input, row after row, nested or flat;
             without it, one row of numbers from 0 to 1
  --timeout  for each call, 10 by default`;

// A wrong command line or input, as against an answer that the server did not give.
class UsageError extends Error {}

// For each datatype: bytes of an element, its field in InferTensorContents, and how a Buffer holds
// it. FP16, BF16 and BYTES are left out: JavaScript has no plain number for them.
const DATATYPES = {
  BOOL: [1, 'bool_contents', (b, v, at) => b.writeUInt8(v ? 1 : 0, at), (b, at) => b[at] !== 0],
  INT8: [1, 'int_contents', (b, v, at) => b.writeInt8(v, at), (b, at) => b.readInt8(at)],
  INT16: [2, 'int_contents', (b, v, at) => b.writeInt16LE(v, at), (b, at) => b.readInt16LE(at)],
  INT32: [4, 'int_contents', (b, v, at) => b.writeInt32LE(v, at), (b, at) => b.readInt32LE(at)],
  INT64: [8, 'int64_contents', (b, v, at) => b.writeBigInt64LE(BigInt(v), at),
          (b, at) => Number(b.readBigInt64LE(at))],
  UINT8: [1, 'uint_contents', (b, v, at) => b.writeUInt8(v, at), (b, at) => b.readUInt8(at)],
  UINT16: [2, 'uint_contents', (b, v, at) => b.writeUInt16LE(v, at), (b, at) => b.readUInt16LE(at)],
  UINT32: [4, 'uint_contents', (b, v, at) => b.writeUInt32LE(v, at), (b, at) => b.readUInt32LE(at)],
  UINT64: [8, 'uint64_contents', (b, v, at) => b.writeBigUInt64LE(BigInt(v), at),
           (b, at) => Number(b.readBigUInt64LE(at))],
  // Nine digits name a float uniquely; the double nearest to it would print with 17.
  FP32: [4, 'fp32_contents', (b, v, at) => b.writeFloatLE(v, at),
         (b, at) => Number(b.readFloatLE(at).toPrecision(9))],
  FP64: [8, 'fp64_contents', (b, v, at) => b.writeDoubleLE(v, at), (b, at) => b.readDoubleLE(at)],
};

function datatypeOf(tensor) {
  const datatype = DATATYPES[tensor.datatype];
  if (!datatype) {
    throw new Error(`tensor "${tensor.name}" is ${tensor.datatype}; this example knows ` +
                    Object.keys(DATATYPES).join(', '));
  }
  const [size, field, write, read] = datatype;
  return {size, field, write, read};
}

// Little-endian, row-major, no padding.
function encode(tensor, values) {
  const {size, write} = datatypeOf(tensor);
  const bytes = Buffer.alloc(values.length * size);
  try {
    values.forEach((value, i) => write(bytes, value, i * size));
  } catch (error) {
    throw new UsageError(`input "${tensor.name}" is ${tensor.datatype}: ${error.message}`);
  }
  return bytes;
}

function decode(tensor, bytes) {
  const {size, read} = datatypeOf(tensor);
  const count = tensor.shape.reduce((product, extent) => product * Number(extent), 1);
  if (bytes.length !== count * size) {
    throw new Error(`output "${tensor.name}" came with ${bytes.length} bytes; ` +
                    `${tensor.datatype} [${tensor.shape}] has ${count * size}`);
  }
  return Array.from({length: count}, (_, i) => read(bytes, i * size));
}

// An output's numbers: servers answer with raw_output_contents or with typed contents.
function outputValues(response, index) {
  const tensor = response.outputs[index];
  if (response.raw_output_contents.length > 0) {
    return decode(tensor, response.raw_output_contents[index]);
  }
  const values = tensor.contents[datatypeOf(tensor).field];
  return tensor.datatype === 'BOOL' ? values : values.map(Number);
}

// The model's shape with the -1 that a request chooses replaced, so that it holds `count` elements.
function shapeFor(tensor, count) {
  const shape = tensor.shape.map(Number);
  const fixed = shape.filter((extent) => extent >= 0).reduce((product, e) => product * e, 1);
  const free = shape.filter((extent) => extent < 0).length;
  if (free > 1) {
    throw new Error(`input "${tensor.name}" has shape [${shape}]; this example chooses at most one ` +
                    'dimension');
  }
  if (free === 0 ? count !== fixed : count === 0 || count % fixed !== 0) {
    throw new UsageError(`input "${tensor.name}" has shape [${shape}]: got ${count} numbers, wants ` +
                         (free === 0 ? `${fixed}` : `a multiple of ${fixed}`));
  }
  return shape.map((extent) => (extent < 0 ? count / fixed : extent));
}

function readNumbers(file) {
  let numbers;
  try {
    numbers = [JSON.parse(fs.readFileSync(file, 'utf8'))].flat(Infinity);
  } catch (error) {
    throw new UsageError(`--input ${file}: ${error.message}`);
  }
  const wrong = numbers.find((value) => typeof value !== 'number');
  if (wrong !== undefined) {
    throw new UsageError(`--input ${file}: got ${JSON.stringify(wrong)}, wants numbers`);
  }
  return numbers;
}

// From 0 to 1, as pixels are.
function someRow(tensor) {
  const count = tensor.shape.map(Number).reduce((product, e) => product * Math.max(e, 1), 1);
  const isFloat = tensor.datatype.startsWith('FP');
  return Array.from({length: count}, (_, i) => (isFloat ? (i % 17) / 16 : i % 2));
}

function flagsOf(argv) {
  let values;
  try {
    ({values} = parseArgs({
      args: argv,
      options: {
        address: {type: 'string'},
        model: {type: 'string'},
        version: {type: 'string', default: ''},
        input: {type: 'string'},
        timeout: {type: 'string', default: '10'},
        help: {type: 'boolean'},
      },
    }));
  } catch (error) {
    throw new UsageError(`${error.message}\n${USAGE}`);
  }
  if (!values.help) {
    for (const flag of ['address', 'model']) {
      if (!values[flag]) throw new UsageError(`--${flag} is missing\n${USAGE}`);
    }
    if (!(Number(values.timeout) > 0)) {
      throw new UsageError(`--timeout ${values.timeout}: wants a number of seconds above 0`);
    }
  }
  return values;
}

// The service's calls as promises, each with the deadline.
function connect(address, seconds) {
  const definition = protoLoader.loadSync(
      PROTO, {keepCase: true, longs: String, defaults: true, oneofs: true});
  const {GRPCInferenceService} = grpc.loadPackageDefinition(definition).inference;
  const client = new GRPCInferenceService(address, grpc.credentials.createInsecure());
  const call = (method, request) =>
      promisify(client[method]).call(client, request, {deadline: Date.now() + 1000 * seconds});
  return {call, close: () => client.close()};
}

function describe(tensor) {
  return `${tensor.name} ${tensor.datatype} [${tensor.shape.join(', ')}]`;
}

function printAnswer(kind, response) {
  console.log(`${kind} answer of ${response.model_name} version ${response.model_version}`);
  response.outputs.forEach((tensor, i) => {
    console.log(`  ${describe(tensor)} ${JSON.stringify(outputValues(response, i))}`);
  });
}

async function infer(flags) {
  const {call, close} = connect(flags.address, Number(flags.timeout));
  try {
    const server = await call('ServerMetadata', {});
    console.log(`server ${server.name} ${server.version}, extensions: ` +
                server.extensions.join(' '));

    const model = await call('ModelMetadata', {name: flags.model, version: flags.version});
    console.log(`model ${model.name}, versions: ${model.versions.join(' ')}`);
    model.inputs.forEach((tensor) => console.log(`  input ${describe(tensor)}`));
    model.outputs.forEach((tensor) => console.log(`  output ${describe(tensor)}`));
    if (model.inputs.length !== 1) {
      throw new Error(`model ${model.name} has ${model.inputs.length} inputs; this example sends one`);
    }

    const [tensor] = model.inputs;
    const values = flags.input === undefined ? someRow(tensor) : readNumbers(flags.input);
    const input = {name: tensor.name, datatype: tensor.datatype, shape: shapeFor(tensor, values.length)};
    const request = {model_name: flags.model, model_version: flags.version};

    const raw = {...request, inputs: [input], raw_input_contents: [encode(tensor, values)]};
    printAnswer('raw', await call('ModelInfer', raw));

    const contents = {[datatypeOf(tensor).field]: values};
    const typed = {...request, inputs: [{...input, contents}]};
    printAnswer('typed', await call('ModelInfer', typed));
  } finally {
    close();
  }
}

async function main(argv) {
  try {
    const flags = flagsOf(argv);
    if (flags.help) console.log(USAGE);
    else await infer(flags);
    return 0;
  } catch (error) {
    if (error instanceof UsageError) {
      console.error(`infer.js: ${error.message}`);
      return 2;
    }
    // A call that failed has a code, and the server's message as its details.
    const isStatus = error.details !== undefined && error.code in grpc.status;
    console.error(`infer.js: ${isStatus ? `${grpc.status[error.code]}: ${error.details}` : error.message}`);
    return 1;
  }
}

main(process.argv.slice(2)).then((status) => { process.exitCode = status; });
