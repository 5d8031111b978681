//! From the bytes of a file descriptor set to a linked pool.

use std::collections::{HashMap, HashSet};

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

/// The number of `FileDescriptorProto.dependency`.
const IMPORTS_TAG: u32 = 3;

/// The part of a file descriptor that imports need.
#[derive(Clone, PartialEq, Message)]
struct FileHeader {
    #[prost(string, tag = "1")]
    name: String,
    #[prost(string, repeated, tag = "3")]
    imports: Vec<String>,
    #[prost(int32, repeated, tag = "10")]
    public_imports: Vec<i32>,
    #[prost(string, optional, tag = "12")]
    syntax: Option<String>,
}

/// Checks imports and links the files. Files may come in any order and, if identical, more than once.
pub(crate) fn link(set: &Bytes) -> Result<DescriptorPool, DiscoveryError> {
    let (headers, files) = read(set)?;
    check_imports(&headers)?;
    let pool = DescriptorPool::decode(files.encode_to_vec().as_slice()).or_else(|error| {
        let widened = widen_imports(&headers, &files);
        if widened == files {
            Err(error)
        } else {
            DescriptorPool::decode(widened.encode_to_vec().as_slice())
        }
    });
    pool.map_err(|error| DiscoveryError::UnlinkableDescriptors {
        reason: error.to_string(),
        file: error.file().unwrap_or("unknown").to_owned(),
    })
}

/// The distinct files, beside what their headers say.
fn read(set: &Bytes) -> Result<(Vec<FileHeader>, EncodedFiles), DiscoveryError> {
    let unreadable = |error: prost::DecodeError| DiscoveryError::UnreadableDescriptors {
        reason: error.to_string(),
    };
    let encoded = EncodedFiles::decode(set.clone()).map_err(unreadable)?;
    let mut headers: Vec<FileHeader> = Vec::with_capacity(encoded.files.len());
    let mut distinct = EncodedFiles::default();
    let mut known: HashMap<String, Bytes> = HashMap::with_capacity(encoded.files.len());
    for file in encoded.files {
        let header = FileHeader::decode(file.clone()).map_err(unreadable)?;
        // The linker panics over any other.
        if !matches!(header.syntax.as_deref(), None | Some("proto2" | "proto3")) {
            let syntax = header.syntax.unwrap_or_default();
            return Err(DiscoveryError::UnsupportedSyntax {
                file: header.name,
                syntax,
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
    Ok((headers, distinct))
}

/// Adds to each file the imports that reach it through two or more files by `import public`, which the linker does
/// not follow that far.
fn widen_imports(headers: &[FileHeader], files: &EncodedFiles) -> EncodedFiles {
    let by_name: HashMap<&str, &FileHeader> = headers
        .iter()
        .map(|header| (header.name.as_str(), header))
        .collect();
    let widen = |(header, file): (&FileHeader, &Bytes)| {
        let mut reached: HashSet<&str> = header.imports.iter().map(String::as_str).collect();
        let mut open: Vec<&str> = reached.iter().copied().collect();
        let mut widened = file.to_vec();
        while let Some(import) = open.pop() {
            let Some(through) = by_name.get(import) else {
                continue;
            };
            let public = through
                .public_imports
                .iter()
                .filter_map(|index| usize::try_from(*index).ok());
            for import in public.filter_map(|index| through.imports.get(index)) {
                if reached.insert(import) {
                    open.push(import);
                    // A repeated field may go on at the end of a message, so the file need not be decoded.
                    prost::encoding::string::encode(IMPORTS_TAG, import, &mut widened);
                }
            }
        }
        Bytes::from(widened)
    };
    EncodedFiles {
        files: headers.iter().zip(&files.files).map(widen).collect(),
    }
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
