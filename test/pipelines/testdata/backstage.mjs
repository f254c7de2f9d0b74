// Validates a catalog-info.yaml with the model of Backstage, as its catalog does.
import { readFileSync } from "node:fs";
import { parseAllDocuments } from "yaml";
import {
  apiEntityV1alpha1Validator, componentEntityV1alpha1Validator, DefaultNamespaceEntityPolicy, EntityPolicies,
  FieldFormatEntityPolicy, NoForeignRootFieldsEntityPolicy, SchemaValidEntityPolicy,
} from "@backstage/catalog-model";

const policy = EntityPolicies.allOf([
  new SchemaValidEntityPolicy(), new DefaultNamespaceEntityPolicy(), new NoForeignRootFieldsEntityPolicy(), new FieldFormatEntityPolicy(),
]);
const kinds = { Component: componentEntityV1alpha1Validator, API: apiEntityV1alpha1Validator };

// References must be to entities in the same file.
const documents = parseAllDocuments(readFileSync(process.argv[2], "utf8"));
const known = [];
const wanted = [];
for (const document of documents) {
  if (document.errors.length > 0) throw document.errors[0];
  const entity = await policy.enforce(document.toJS());
  const validator = kinds[entity.kind];
  if (!validator) throw new Error(`unexpected kind ${entity.kind}`);
  // The catalog replaces $text with the content of the file before validation.
  if (entity.kind === "API") {
    const file = entity.spec.definition.$text;
    const openapi = JSON.parse(readFileSync(file, "utf8"));
    if (!openapi.openapi) throw new Error(`${file} is not an OpenAPI document`);
    entity.spec.definition = JSON.stringify(openapi);
  }
  if (!(await validator.check(entity))) throw new Error(`${entity.kind} ${entity.metadata.name}: invalid for ${entity.apiVersion}`);
  known.push(`${entity.kind} ${entity.metadata.name}`);
  for (const name of entity.spec.providesApis ?? []) wanted.push(`API ${name}`);
  console.log(JSON.stringify(entity.metadata));
}
for (const name of wanted) if (!known.includes(name)) throw new Error(`${name} is referenced but does not exist`);
console.log(known.join(", "));
