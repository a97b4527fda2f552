// What AsyncAPI's own parser makes of the document that is named: its errors, and the messages of each channel.
import { createRequire } from 'node:module'

const { Parser, fromFile } = createRequire(process.env.FOREIGN + '/')('@asyncapi/parser')
const { document, diagnostics } = await fromFile(new Parser(), process.argv[2]).parse()
const channels = document?.channels().all() ?? []
console.log(JSON.stringify({
  errors: diagnostics.filter((one) => one.severity === 0).map((one) => one.message),
  messages: Object.fromEntries(channels.map((one) => [one.address(), one.messages().all().map((each) => each.id())])),
}))
