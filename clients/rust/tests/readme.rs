//! The README shows programs as they are compiled here.

#[test]
fn the_readmes_first_call_is_the_example() {
    let readme = include_str!("../README.md");
    let example = include_str!("../examples/first_call.rs");
    assert!(readme.contains(example), "README.md and examples/first_call.rs differ");
}
