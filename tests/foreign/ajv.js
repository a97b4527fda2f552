// Which of the JSON lines of stdin hold the schema of the file that is named: true or false each.
import { readFileSync } from 'node:fs'
import { createRequire } from 'node:module'

const require = createRequire(process.env.FOREIGN + '/')
const Ajv = require('ajv').default
const ajv = new Ajv({ strictTypes: false, strictRequired: false })
require('ajv-formats').default(ajv)
const validate = ajv.compile(JSON.parse(readFileSync(process.argv[2], 'utf8')))
const lines = readFileSync(0, 'utf8').split('\n').filter((line) => line)
console.log(JSON.stringify(lines.map((line) => validate(JSON.parse(line)))))
