// The files that discovery sends: all that the services' files need, options and all.

import { type DescFile, create, toBinary } from "@bufbuild/protobuf";
import { type FileDescriptorProto, FileDescriptorSetSchema } from "@bufbuild/protobuf/wkt";

import { DeclarationError } from "./service.js";

/**
 * A serialised `google.protobuf.FileDescriptorSet`. Each file comes after those that it imports.
 *
 * @internal
 * @throws {DeclarationError} if two files have one name
 */
export function descriptorSet(files: readonly DescFile[]): Uint8Array<ArrayBuffer> {
  const added = new Map<string, FileDescriptorProto>();
  const add = (file: DescFile): void => {
    const { proto } = file;
    const present = added.get(proto.name);
    if (present !== undefined) {
      if (present !== proto && !same(present, proto)) {
        throw new DeclarationError(
          `there are two different files ${proto.name}: compile all .proto files together, or rename one`,
        );
      }
      return;
    }
    file.dependencies.forEach(add);
    added.set(proto.name, proto);
  };
  files.forEach(add);
  return toBinary(FileDescriptorSetSchema, create(FileDescriptorSetSchema, { file: [...added.values()] }));
}

/** Two copies of generated code are the same file. */
function same(one: FileDescriptorProto, other: FileDescriptorProto): boolean {
  const names = (file: FileDescriptorProto): string =>
    [file.package, ...file.messageType, ...file.service, ...file.enumType]
      .map((it) => (typeof it === "string" ? it : it.name))
      .join();
  return names(one) === names(other);
}
