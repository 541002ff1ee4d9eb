"""Our tokenizer from Python, for the scripts beside it: the static library, linked as a shared
one, through ctypes.  Run from the top of the source tree after `make`."""
import ctypes
import os
import subprocess

BUILD = os.environ.get("BUILD", "build")
PACKAGES = "openblas msgpack libpcre2-8 libutf8proc jansson libxxhash"


class Ids(ctypes.Structure):
    _fields_ = [("id", ctypes.POINTER(ctypes.c_int32)), ("end", ctypes.POINTER(ctypes.c_uint32)),
                ("n", ctypes.c_size_t), ("cap", ctypes.c_size_t)]


class Err(ctypes.Structure):
    _fields_ = [("code", ctypes.c_int), ("text", ctypes.c_char * 768)]


def load():
    archive, shared = f"{BUILD}/libcagsr.a", f"{BUILD}/libcagsr-differ.so"
    libs = subprocess.check_output(["pkg-config", "--libs"] + PACKAGES.split(), text=True).split()
    if not os.path.exists(shared) or os.path.getmtime(shared) < os.path.getmtime(archive):
        subprocess.check_call(["cc", "-shared", "-o", shared, "-Wl,--whole-archive", archive,
                               "-Wl,--no-whole-archive"] + libs + ["-lpthread", "-lm", "-ldl"])
    return ctypes.CDLL(os.path.abspath(shared))


LIB = load()
FREE = ctypes.CDLL(None).free
FREE.argtypes = [ctypes.c_void_p]


class Tok:
    def __init__(self, path):
        self.t, self.e, self.ids = ctypes.c_void_p(), Err(), Ids()
        if LIB.tok_open(ctypes.byref(self.t), path.encode(), ctypes.byref(self.e)) < 0:
            raise ValueError(self.e.text.decode())

    def encode(self, text, special=False):
        """Ids and byte offsets of the ends; ValueError."""
        b = text if isinstance(text, bytes) else text.encode()
        if LIB.tok_encode(self.t, b, ctypes.c_size_t(len(b)), int(special), ctypes.byref(self.ids),
                          ctypes.byref(self.e)) < 0:
            raise ValueError(self.e.text.decode())
        n = self.ids.n
        return self.ids.id[:n], self.ids.end[:n]

    def decode(self, ids, skip=False):
        a = (ctypes.c_int32 * max(len(ids), 1))(*ids)
        out, n = ctypes.c_void_p(), ctypes.c_size_t()
        if LIB.tok_decode(self.t, a, ctypes.c_size_t(len(ids)), int(skip), ctypes.byref(out),
                          ctypes.byref(n), ctypes.byref(self.e)) < 0:
            raise ValueError(self.e.text.decode())
        text = ctypes.string_at(out, n.value)
        FREE(out)
        return text.decode()

    def size(self):
        LIB.tok_size.restype = ctypes.c_size_t
        return LIB.tok_size(self.t)


def byte_ends(text, ends):
    """Character offsets as byte offsets."""
    at = [0]
    for c in text:
        at.append(at[-1] + len(c.encode()))
    return [at[e] for e in ends]


def whole_characters(text, ends):
    """Byte offsets inside a character moved to its end: the library knows no others."""
    b = text.encode()
    out = []
    for e in ends:
        while e < len(b) and b[e] & 0xC0 == 0x80:
            e += 1
        out.append(e)
    return out
