//! From the bytes of a file descriptor set to a linked pool.

use std::collections::HashMap;

use bytes::Bytes;
use prost::Message;
use prost_reflect::DescriptorPool;

use crate::DiscoveryError;

/// A file descriptor set whose files stay encoded, so that custom options survive.
#[derive(Clone, PartialEq, Message)]
struct EncodedFiles {
    #[prost(bytes = "bytes", repeated, tag = "1")]
    files: Vec<Bytes>,
}

/// The part of a file descriptor that imports need.
#[derive(Clone, PartialEq, Message)]
struct FileHeader {
    #[prost(string, tag = "1")]
    name: String,
    #[prost(string, repeated, tag = "3")]
    imports: Vec<String>,
    #[prost(string, tag = "12")]
    syntax: String,
}

/// Checks imports and links the files. Files may come in any order and, if identical, more than once.
pub(crate) fn link(set: &Bytes) -> Result<DescriptorPool, DiscoveryError> {
    let unreadable = |error: prost::DecodeError| DiscoveryError::UnreadableDescriptors {
        reason: error.to_string(),
    };
    let encoded = EncodedFiles::decode(set.clone()).map_err(unreadable)?;
    let mut headers: Vec<FileHeader> = Vec::with_capacity(encoded.files.len());
    let mut distinct = EncodedFiles::default();
    let mut known: HashMap<String, Bytes> = HashMap::with_capacity(encoded.files.len());
    for file in encoded.files {
        let header = FileHeader::decode(file.clone()).map_err(unreadable)?;
        if !matches!(header.syntax.as_str(), "" | "proto2" | "proto3") {
            return Err(DiscoveryError::UnsupportedSyntax {
                file: header.name,
                syntax: header.syntax,
            });
        }
        match known.get(&header.name) {
            Some(same) if *same == file => continue,
            Some(_) => return Err(DiscoveryError::ConflictingFiles { file: header.name }),
            None => known.insert(header.name.clone(), file.clone()),
        };
        headers.push(header);
        distinct.files.push(file);
    }
    check_imports(&headers)?;
    DescriptorPool::decode(distinct.encode_to_vec().as_slice()).map_err(|error| {
        DiscoveryError::UnlinkableDescriptors {
            reason: error.to_string(),
            file: error.file().unwrap_or("unknown").to_owned(),
        }
    })
}

/// Refuses missing and circular imports, walking depth first in the order of files and imports.
///
/// It keeps its own stack: the depth is up to the sender.
fn check_imports(headers: &[FileHeader]) -> Result<(), DiscoveryError> {
    let by_name: HashMap<&str, usize> = headers
        .iter()
        .enumerate()
        .map(|(index, header)| (header.name.as_str(), index))
        .collect();
    let mut done = vec![false; headers.len()];
    let mut open = vec![false; headers.len()];
    for root in 0..headers.len() {
        // Each entry: a file and how many of its imports were visited.
        let mut stack: Vec<(usize, usize)> = Vec::new();
        if !done[root] {
            stack.push((root, 0));
            open[root] = true;
        }
        while let Some((file, visited)) = stack.last_mut() {
            let file = *file;
            let Some(import) = headers[file].imports.get(*visited) else {
                done[file] = true;
                open[file] = false;
                stack.pop();
                continue;
            };
            *visited += 1;
            let importers = || {
                stack
                    .iter()
                    .rev()
                    .map(|(index, _)| headers[*index].name.clone())
                    .collect::<Vec<_>>()
            };
            match by_name.get(import.as_str()) {
                None => {
                    return Err(DiscoveryError::MissingImport {
                        dependency: import.clone(),
                        path: importers(),
                    });
                }
                Some(&next) if open[next] => {
                    let path = std::iter::once(import.clone()).chain(importers()).collect();
                    return Err(DiscoveryError::CircularImport { path });
                }
                Some(&next) if !done[next] => {
                    stack.push((next, 0));
                    open[next] = true;
                }
                Some(_) => {}
            }
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests;
