// Prints what the official AsyncAPI parser finds in a document; exit code 1 when it is none.
import { Parser, fromFile } from "@asyncapi/parser";

const { document, diagnostics } = await fromFile(new Parser(), process.argv[2]).parse();
const words = ["error", "warning", "information", "hint"];
for (const found of diagnostics) {
  console.log(`${words[found.severity]} ${found.code} ${found.path.join(".")}: ${found.message}`);
}
process.exit(document && !diagnostics.some((found) => found.severity < 2) ? 0 : 1);
