/// What the derives say to mistakes. After a change that means to change a message: run with
/// `TRYBUILD=overwrite` and read the difference.
#[test]
fn mistakes_are_explained() {
    trybuild::TestCases::new().compile_fail("tests/compile_fail/*.rs");
}
