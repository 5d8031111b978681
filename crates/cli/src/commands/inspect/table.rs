//! Rows for people, or for programs.

use serde_json::{Map, Value as Json};

/// The widest a cell gets in a table for people; the rest is cut.
const WIDTH_MAX: usize = 100;

/// Named columns and their rows.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct Table {
    /// Names as in JSON.
    pub(super) columns: Vec<&'static str>,
    /// As many values as there are columns.
    pub(super) rows: Vec<Vec<Json>>,
    /// Whether there are rows that the limit left out.
    pub(super) more: bool,
}

impl Table {
    pub(super) fn new(columns: &[&'static str]) -> Self {
        Self {
            columns: columns.to_vec(),
            rows: Vec::new(),
            more: false,
        }
    }

    /// One JSON object a line.
    pub(super) fn json_lines(&self) -> String {
        let object = |row: &Vec<Json>| -> Map<String, Json> {
            self.columns
                .iter()
                .map(ToString::to_string)
                .zip(row.iter().cloned())
                .collect()
        };
        self.rows
            .iter()
            .map(|row| format!("{}\n", Json::Object(object(row))))
            .collect()
    }

    /// Columns with their names on top; numbers to the right.
    pub(super) fn text(&self) -> String {
        let heads: Vec<String> = self
            .columns
            .iter()
            .map(|name| name.to_uppercase().replace('_', " "))
            .collect();
        let rows: Vec<Vec<String>> = self
            .rows
            .iter()
            .map(|row| row.iter().map(cell).collect())
            .collect();
        let widths: Vec<usize> = (0..heads.len())
            .map(|index| {
                rows.iter()
                    .chain([&heads])
                    .map(|row| width(&row[index]))
                    .max()
                    .unwrap_or(0)
            })
            .collect();
        let numeric: Vec<bool> = (0..heads.len())
            .map(|index| {
                !self.rows.is_empty()
                    && self
                        .rows
                        .iter()
                        .all(|row| row[index].is_number() || row[index].is_null())
            })
            .collect();
        let line = |row: &Vec<String>| {
            let cells = row.iter().zip(&widths).zip(&numeric);
            let cells: Vec<String> = cells
                .map(|((text, width), right)| pad(text, *width, *right))
                .collect();
            format!("{}\n", cells.join("  ").trim_end())
        };
        [&heads].into_iter().chain(&rows).map(line).collect()
    }
}

fn width(text: &str) -> usize {
    text.chars().count()
}

fn pad(text: &str, width: usize, right: bool) -> String {
    if right {
        format!("{text:>width$}")
    } else {
        format!("{text:<width$}")
    }
}

/// One line, without control characters, which could steer a terminal.
fn cell(value: &Json) -> String {
    let text = match value {
        Json::Null => "-".to_owned(),
        Json::String(text) => text
            .escape_debug()
            .to_string()
            .replace("\\\"", "\"")
            .replace("\\'", "'"),
        other => other.to_string(),
    };
    if width(&text) <= WIDTH_MAX {
        text
    } else {
        text.chars().take(WIDTH_MAX - 1).chain(['…']).collect()
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn table() -> Table {
        let mut table = Table::new(&["entity_id", "sequence"]);
        table.rows = vec![
            vec![json!("ann"), json!(7)],
            vec![json!("b\u{1b}\n\"é\""), Json::Null],
        ];
        table
    }

    #[test]
    fn people_get_columns_without_control_characters() {
        assert_eq!(
            table().text(),
            "ENTITY ID     SEQUENCE\nann                  7\nb\\u{1b}\\n\"é\"         -\n"
        );
    }

    #[test]
    fn programs_get_one_object_a_line() {
        assert_eq!(
            table().json_lines(),
            "{\"entity_id\":\"ann\",\"sequence\":7}\n{\"entity_id\":\"b\\u001b\\n\\\"é\\\"\",\"sequence\":null}\n"
        );
    }

    #[test]
    fn long_cells_are_cut() {
        assert_eq!(width(&cell(&json!("x".repeat(1000)))), WIDTH_MAX);
    }
}
