"""What replicas hold on their disks, frame by frame, read without the product's code (docs/formats/segment.md)."""

import hashlib
import struct
from dataclasses import dataclass

FILE_HEADER_BYTES = 64
# Without the header's checksum, which belongs to the file, and the durable position, which is that of each node.
FRAME = struct.Struct("<8xIIQQQQQ4xBB2x")


@dataclass(frozen=True)
class Frame:
    """All that is to be the same on every replica."""

    index: int
    term: int
    kind: int
    codec: int
    base_offset: int
    count: int
    timestamp: int
    stated_checksum: int
    content: bytes  # a digest of the payload, calculated here

    @property
    def next_offset(self):
        return self.base_offset + self.count


def frames_of(log_directory):
    """The frames of a log whose node has ended: a list that is dense in index and offset."""
    frames = []
    for path in sorted(log_directory.glob("*.store")):
        data = path.read_bytes()
        if data[:8] != b"CAIRNSTO":
            raise AssertionError(f"{path} is no store file")
        base_offset, base_index = struct.unpack_from("<QQ", data, 24)
        if frames and (base_index, base_offset) != (frames[-1].index + 1, frames[-1].next_offset):
            raise AssertionError(f"{path} begins with frame {base_index} at offset {base_offset} after {frames[-1]}")
        frames += frames_in(data, base_index, base_offset)
    return frames


def frames_in(data, index, offset):
    """Until what follows does not continue: zeros, or what the file held in an earlier use."""
    at = FILE_HEADER_BYTES
    while at + 64 <= len(data):
        size, count, checksum, term, frame_index, base, timestamp, kind, codec = FRAME.unpack_from(data, at)
        if (frame_index, base) != (index, offset) or at + 64 + size > len(data) or kind == 0:
            return
        content = hashlib.blake2b(memoryview(data)[at + 64:at + 64 + size], digest_size=16).digest()
        yield Frame(index, term, kind, codec, base, count, timestamp, checksum, content)
        index, offset = index + 1, offset + count
        at = (at + 64 + size + 7) // 8 * 8


def differences(replicas, end):
    """Sentences on what is not the same in the committed prefix, which ends at offset `end`, of {name: frames}.

    Frames behind the last record below `end` may differ: each node that ends hands the lead over, and the next one
    begins its term with an entry that nobody has to have.
    """
    found = []
    committed = {}
    for name, frames in replicas.items():
        with_records = [frame.index for frame in frames if frame.count and frame.next_offset <= end]
        last = max(with_records, default=0)
        committed[name] = {frame.index: frame for frame in frames if frame.index <= last}
        have = frames[last - frames[0].index].next_offset if with_records else 0
        if have != end:
            found.append(f"{name} holds records up to {have} of {end}")
    first_name, *others = committed
    for name in others:
        here, there = committed[first_name], committed[name]
        # A log may begin later, never end earlier.
        for index in range(max(min(here, default=0), min(there, default=0)), max([*here, *there], default=0) + 1):
            if here.get(index) != there.get(index):
                found.append(f"frame {index}: {first_name} holds {here.get(index)}, {name} {there.get(index)}")
                break
    return found
