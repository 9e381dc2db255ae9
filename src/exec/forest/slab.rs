//! Slabs: the tables of a compiled forest, at cache lines, and large ones in large pages.
//!
//! A row reads a few lines from all over them. Of pages of 4 KB more than a processor keeps the addresses of are soon needed, and then a
//! line waits for its address to be found, which in a virtual machine takes longer than the line. Linux gives pages of 2 MB to memory that
//! asks for them, unless it is told to give them to nobody or to everybody; asking costs nothing elsewhere. Such memory is also there
//! sooner: one page comes instead of 512.
#![allow(unsafe_code)]

use allocator_api2::alloc::{AllocError, Allocator, Global, Layout};
use allocator_api2::vec::Vec;
use std::ptr::NonNull;

/// Bytes of a cache line.
const LINE: usize = 64;
/// Bytes of a large page, and of the smallest slab that lies in some.
const LARGE: usize = 2 << 20;

/// Where slabs come from.
#[derive(Debug, Clone, Copy)]
pub struct Pages;

/// A table in such memory.
pub type Slab<T> = Vec<T, Pages>;

/// An empty slab with room for so many elements.
pub fn room<T>(count: usize) -> Slab<T> {
    Vec::with_capacity_in(count, Pages)
}

/// A slab of so many equal elements.
pub fn filled<T: Clone>(value: T, count: usize) -> Slab<T> {
    let mut slab = room(count);
    slab.resize(count, value);
    slab
}

/// A slab of these elements.
pub fn collected<T>(elements: impl ExactSizeIterator<Item = T>) -> Slab<T> {
    let mut slab = room(elements.len());
    slab.extend(elements);
    slab
}

/// Appends what becomes of each of these numbers, without a look for every element at whether there is room.
pub fn add<T: Clone + Default>(slab: &mut Slab<T>, numbers: &[usize], element: impl Fn(usize) -> T) {
    let first = slab.len();
    slab.resize(first + numbers.len(), T::default());
    slab[first..].iter_mut().zip(numbers).for_each(|(to, &number)| *to = element(number));
}

impl Pages {
    /// What is asked of the allocator: the beginning of a line or of a large page. Depends on the size alone, which a slab knows when it
    /// gives its memory back.
    fn layout(layout: Layout) -> Result<Layout, AllocError> {
        layout.align_to(if layout.size() < LARGE { LINE } else { LARGE }).map_err(|_| AllocError)
    }
}

// SAFETY: memory comes from the global allocator, which is what it promises to be; it is given back to it with the layout with which it was
// asked for, since that follows from the size. Copies of `Pages` are the same allocator.
unsafe impl Allocator for Pages {
    fn allocate(&self, layout: Layout) -> Result<NonNull<[u8]>, AllocError> {
        let memory = Global.allocate(Self::layout(layout)?)?;
        if layout.size() >= LARGE {
            ask(memory);
        }
        Ok(memory)
    }

    unsafe fn deallocate(&self, memory: NonNull<u8>, layout: Layout) {
        if let Ok(layout) = Self::layout(layout) {
            // SAFETY: as promised by the caller, and with the layout of `allocate`, which was one.
            unsafe { Global.deallocate(memory, layout) };
        }
    }
}

/// Asks for large pages, as many as fit into this memory, which begins with one.
#[cfg(all(target_os = "linux", not(miri)))]
fn ask(memory: NonNull<[u8]>) {
    // SAFETY: whole pages of memory that is ours; which pages it consists of changes nothing in it. Whether that succeeds does not matter.
    unsafe { libc::madvise(memory.as_ptr().cast(), memory.len() / LARGE * LARGE, libc::MADV_HUGEPAGE) };
}

#[cfg(not(all(target_os = "linux", not(miri))))]
fn ask(_: NonNull<[u8]>) {}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn slabs_begin_at_lines_or_large_pages_and_keep_what_they_hold() {
        let mut slab = room::<u32>(0);
        for value in 0..2_000_000 {
            slab.push(value);
            let bytes = slab.capacity() * size_of::<u32>();
            let begin = if bytes < LARGE { LINE } else { LARGE };
            assert_eq!(slab.as_ptr().addr() % begin, 0);
        }
        assert!(slab.iter().zip(0..).all(|(&found, value)| found == value));
        slab.truncate(10);
        slab.shrink_to_fit();
        assert_eq!(*slab, [0, 1, 2, 3, 4, 5, 6, 7, 8, 9]);
        assert_eq!(*filled(7u8, 3), [7, 7, 7]);
        assert!(room::<u64>(0).is_empty());
    }

    /// Whether Linux notes this of the memory that holds an address; `None` where it does not say.
    #[cfg(target_os = "linux")]
    fn has_flag(address: usize, flag: &str) -> Option<bool> {
        let maps = std::fs::read_to_string("/proc/self/smaps").ok()?;
        let mut inside = false;
        for line in maps.lines() {
            let range = line.split(' ').next().and_then(|range| range.split_once('-'));
            if let Some((first, end)) = range
                && let (Ok(first), Ok(end)) = (usize::from_str_radix(first, 16), usize::from_str_radix(end, 16))
            {
                inside = (first..end).contains(&address);
            } else if let Some(flags) = line.strip_prefix("VmFlags:").filter(|_| inside) {
                return Some(flags.split_whitespace().any(|own| own == flag));
            }
        }
        None
    }

    #[test]
    #[cfg(target_os = "linux")]
    fn large_slabs_ask_for_large_pages() {
        let large = filled(1u8, 2 * LARGE);
        // Some systems have no large pages.
        let known = std::path::Path::new("/sys/kernel/mm/transparent_hugepage/enabled").exists();
        if let Some(asked) = has_flag(large.as_ptr().addr(), "hg").filter(|_| known) {
            assert!(asked);
        }
    }

    #[test]
    fn what_no_memory_can_hold_is_refused() {
        assert!(room::<u8>(0).try_reserve(usize::MAX / 2).is_err());
    }
}
