//! The reference page in `docs/` says what the table of settings says.

use std::path::Path;

use cloudstate_proxy::config::reference;

#[test]
fn the_page_is_up_to_date() {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../docs/reference/configuration.md");
    let made = reference::markdown();
    if std::env::var_os("UPDATE_DOCS").is_some() {
        std::fs::create_dir_all(path.parent().expect("a file has a directory")).expect("docs can be written");
        std::fs::write(&path, &made).expect("docs can be written");
    }
    let kept = std::fs::read_to_string(&path).unwrap_or_default();
    assert!(
        kept == made,
        "docs/reference/configuration.md is out of date; run: \
         UPDATE_DOCS=1 cargo test -p cloudstate-proxy the_page_is_up_to_date"
    );
}
