// The reference server, configured by its own variables.
import { PDS } from '../node/node_modules/@atproto/pds/dist/index.js'

await PDS.run()
process.exit(0)
