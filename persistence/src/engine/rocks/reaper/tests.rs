//! What has a second name, what is freed of it, and what has its name again.

use super::*;

struct Fixture {
    root: tempfile::TempDir,
    trash: Trash,
}

const LEN: usize = 5 * 1024 * 1024;

impl Fixture {
    fn new() -> Fixture {
        let root = tempfile::tempdir().unwrap();
        for name in ["log", "derived"] {
            fs::create_dir(root.path().join(name)).unwrap();
        }
        let trash = Fixture::trash(root.path());
        Fixture { root, trash }
    }

    fn trash(root: &Path) -> Trash {
        let watched = [root.join("log"), root.join("derived")];
        // what is called 000009 is needed
        let is_needed = |wal: &Path| wal.ends_with("000009.log");
        Trash::new(root.join(TRASH_DIRECTORY), watched, Box::new(is_needed))
    }

    fn file(&self, name: &str) -> PathBuf {
        let path = self.root.path().join(name);
        fs::write(&path, vec![7; LEN]).unwrap();
        path
    }

    fn names(&self) -> usize {
        fs::read_dir(self.root.path().join(TRASH_DIRECTORY))
            .unwrap()
            .count()
    }

    fn free_all(&mut self) -> usize {
        std::iter::from_fn(|| self.trash.free_slice().unwrap().then_some(())).count()
    }
}

#[test]
fn a_file_goes_in_slices_once_its_first_name_is_gone() {
    let mut fixture = Fixture::new();
    let wal = fixture.file("log/000001.log");
    fixture.trash.look().unwrap();
    assert_eq!(fixture.free_all(), 0);
    assert_eq!(fs::read(&wal).unwrap(), vec![7; LEN], "it is still RocksDB's");
    fs::remove_file(&wal).unwrap();
    fixture.trash.look().unwrap();
    assert_eq!(fixture.trash.bytes, LEN as u64);
    assert_eq!(fixture.free_all(), 3, "two slices, and the rest with its name");
    assert_eq!((fixture.names(), fixture.trash.bytes), (0, 0));
}

#[test]
fn what_has_another_name_anywhere_stays_whole() {
    let mut fixture = Fixture::new();
    let table = fixture.file("derived/000002.sst");
    let checkpoint = fixture.root.path().join("checkpoint.sst");
    fixture.trash.look().unwrap();
    fs::hard_link(&table, &checkpoint).unwrap();
    fs::remove_file(&table).unwrap();
    fixture.trash.look().unwrap();
    assert_eq!(fixture.free_all(), 0);
    assert_eq!(fixture.names(), 0);
    assert_eq!(fs::read(&checkpoint).unwrap(), vec![7; LEN]);
}

#[test]
fn a_name_given_after_it_was_found_obsolete_protects_it() {
    let mut fixture = Fixture::new();
    let table = fixture.file("derived/000002.sst");
    fixture.trash.look().unwrap();
    fs::remove_file(&table).unwrap();
    fixture.trash.look().unwrap();
    let saved = fixture.root.path().join("saved.sst");
    fs::hard_link(&fixture.trash.obsolete[0], &saved).unwrap();
    fixture.free_all();
    assert_eq!(fs::read(&saved).unwrap(), vec![7; LEN]);
}

#[test]
fn what_an_earlier_process_left_goes_and_what_it_did_not_make_stays() {
    let mut fixture = Fixture::new();
    let (kept, gone) = (fixture.file("log/000003.log"), fixture.file("log/000004.log"));
    fixture.trash.look().unwrap();
    fs::remove_file(gone).unwrap();
    let foreign = fixture.file("trash/notes");
    clear(&fixture.trash.directory);
    assert_eq!(fixture.names(), 1);
    assert!(foreign.exists());
    assert_eq!(fs::read(kept).unwrap(), vec![7; LEN]);
}

#[test]
fn a_store_of_symlinks_is_left_to_rocksdb() {
    let mut fixture = Fixture::new();
    let elsewhere = fixture.file("elsewhere");
    let link = fixture.root.path().join("log/000006.log");
    std::os::unix::fs::symlink(&elsewhere, &link).unwrap();
    fixture.trash.look().unwrap();
    fs::remove_file(link).unwrap();
    fixture.trash.look().unwrap();
    assert_eq!((fixture.free_all(), fixture.names()), (0, 0));
    assert_eq!(fs::read(elsewhere).unwrap(), vec![7; LEN]);
}

#[test]
fn while_writers_write_little_waits_and_too_much_does_not() {
    let mut fixture = Fixture::new();
    let wal = fixture.file("log/000007.log");
    fixture.trash.look().unwrap();
    fs::remove_file(wal).unwrap();
    assert_eq!(fixture.trash.work(true, false).unwrap(), LOOK_EVERY);
    assert_eq!(fixture.trash.bytes, LEN as u64, "it waits for a quiet time");
    assert_eq!(fixture.trash.work(false, true).unwrap(), SLICE_EVERY);
    assert_eq!(fixture.trash.bytes, LEN as u64 - SLICE_BYTES);
    // as if much more were there
    fixture.trash.bytes += TRASH_BYTES_QUIET;
    fixture.trash.work(false, false).unwrap();
    assert_eq!(
        fixture.trash.bytes,
        TRASH_BYTES_QUIET + LEN as u64 - 2 * SLICE_BYTES
    );
    fixture.trash.bytes += TRASH_BYTES_MAX;
    fixture.trash.work(false, false).unwrap();
    assert_eq!(fixture.names(), 0, "whole files go where space runs out");
}

#[test]
fn an_error_gives_all_files_back_to_rocksdb() {
    let mut fixture = Fixture::new();
    let kept = fixture.file("log/000008.log");
    fixture.trash.look().unwrap();
    fs::remove_dir(fixture.root.path().join("derived")).unwrap();
    assert!(fixture.trash.work(true, true).is_err());
    fixture.trash.give_up();
    assert_eq!(fs::metadata(&kept).unwrap().nlink(), 1);
    fs::create_dir(fixture.root.path().join("derived")).unwrap();
    fixture.trash.work(true, true).unwrap();
    assert_eq!(fs::metadata(&kept).unwrap().nlink(), 2, "and it goes on");
}

#[test]
fn what_somebody_else_deleted_has_its_name_again() {
    let mut fixture = Fixture::new();
    let (needed, current) = (fixture.file("log/000009.log"), fixture.file("log/CURRENT"));
    fixture.trash.look().unwrap();
    for _ in 0..2 {
        fs::remove_file(&needed).unwrap();
        fixture.trash.look().unwrap();
        assert_eq!(fs::read(&needed).unwrap(), vec![7; LEN]);
        assert_eq!((fixture.free_all(), fixture.trash.bytes), (0, 0));
    }
    // not while the whole directory goes
    fs::remove_file(current).unwrap();
    fs::remove_file(&needed).unwrap();
    fixture.trash.look().unwrap();
    assert!(!needed.exists());
}

#[test]
fn what_is_needed_keeps_its_second_name_when_the_first_cannot_be_given_back() {
    let mut fixture = Fixture::new();
    let (needed, _) = (fixture.file("log/000009.log"), fixture.file("log/CURRENT"));
    fixture.trash.look().unwrap();
    fs::remove_file(&needed).unwrap();
    fs::create_dir(&needed).unwrap();
    assert!(fixture.trash.work(true, true).is_err());
    fixture.trash.give_up();
    assert_eq!(fixture.names(), 1);
    fs::remove_dir(&needed).unwrap();
    fixture.trash.work(true, true).unwrap();
    assert_eq!(fs::read(&needed).unwrap(), vec![7; LEN]);
}

#[test]
fn closing_leaves_no_second_names() {
    let fixture = Fixture::new();
    let kept = fixture.file("log/000005.log");
    let reaper = Reaper::start(fixture.root.path(), Box::new(|_| false)).unwrap();
    let until = Instant::now() + Duration::from_secs(30);
    while fs::metadata(&kept).unwrap().nlink() == 1 {
        assert!(Instant::now() < until, "no second name was given");
        std::thread::yield_now();
    }
    reaper.end().unwrap().clear();
    assert!(!fixture.root.path().join(TRASH_DIRECTORY).exists());
    assert_eq!(fs::metadata(kept).unwrap().nlink(), 1);
}
