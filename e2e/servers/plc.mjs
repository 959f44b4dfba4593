// The did:plc directory of the network, its database in memory.
import { createRequire } from 'node:module'
const require = createRequire(import.meta.url)
const plc = require('../node/node_modules/@did-plc/server')

const server = plc.PlcServer.create({ db: plc.Database.mock(), port: Number(process.env.PORT) })
await server.start()
process.once('SIGTERM', async () => {
  await server.destroy()
  process.exit(0)
})
