//! What is the same in every store.

#[tokio::test]
async fn a_story_is_the_same_bytes_in_memory_and_in_sqlite() {
    let (memory, sqlite) =
        (super::on_memory::determinism::bytes().await, super::on_sqlite::determinism::bytes().await);
    assert!(memory.len() > 80, "{}", memory.len());
    assert!(memory == sqlite, "the stores differ");
}
