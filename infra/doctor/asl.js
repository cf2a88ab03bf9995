// Prints a line for each problem that AWS's language service sees in a state machine's definition:
// node asl.js FOLDER_OF_NODE_MODULES DEFINITION. Exits with 1 if there is any.
const { createRequire } = require("node:module");
const { readFileSync } = require("node:fs");
const { resolve } = require("node:path");

const [modules, definition] = process.argv.slice(2);
const load = createRequire(resolve(modules, "amazon-states-language-service", "package.json"));
const { getLanguageService } = load("./out/service.js");
const { TextDocument } = load("vscode-languageserver-textdocument");

const text = readFileSync(definition, "utf-8");
const document = TextDocument.create(definition, "asl", 1, text);
const service = getLanguageService({ workspaceContext: {} });
service.doValidation(document, service.parseJSONDocument(document)).then((problems) => {
  for (const { range, message } of problems) {
    console.log(`line ${range.start.line + 1}: ${message}`);
  }
  process.exitCode = problems.length ? 1 : 0;
});
