"""Instructions on many chains at once, one number a lane.

LLVM does not find these loops by itself: it cannot know that what is written does not overlap with
what is read. Here they are operations on its vectors, which it turns into the instructions of the
processor at hand. Cells are rows of arrays [..., lanes], whatever the number of axes before;
nothing checks that they lie inside.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import no_type_check

from llvmlite import ir
from numba.core import cgutils, types
from numba.extending import intrinsic

LANES = 16
_I1, _I16, _I32, _I64 = (ir.IntType(bits) for bits in (1, 16, 32, 64))
_LABELS = 4


@intrinsic
@no_type_check
def advance_lanes(typing_context, states, bits):
    """Draw 64 random `bits` [lanes] and advance `states` [4, lanes], as `advance` does."""

    def build(builder, states, bits):
        s0, s1, s2, s3 = (_load(builder, states, _number(word)) for word in range(4))
        total = _rotate_left(builder, builder.add(s0, s3), 23)
        _store(builder, builder.add(total, s0), bits, _number(0))
        shifted = builder.shl(s1, _constant(_I64, 17))
        s2, s3 = builder.xor(s2, s0), builder.xor(s3, s1)
        s1, s0 = builder.xor(s1, s2), builder.xor(s0, s3)
        after = s0, s1, builder.xor(s2, shifted), _rotate_left(builder, s3, 45)
        for word, value in enumerate(after):
            _store(builder, value, states, _number(word))

    return types.void(states, bits), _with_pointers(build)


@intrinsic
@no_type_check
def draw_unit(typing_context, fields, cell, partners, n_partners, draws, entries, own, n_own):
    """Draw the unit at a cell of each chain.

    Codes are the sums of `fields` at the cells that are `partners` [n_partners] away. `draws` are
    random bits [lanes], the first of them that counts, and the first entry of the alias tables of
    each chain. Labels are written to the fields whose first cells and numbers of the labels are
    `own`, arrays [n_own] and [n_own, 4].
    """

    def build(builder, fields, cell, partners, n_partners, draws, entries, own, n_own):
        bits, first_bit, starts = draws
        codes = _sum_rows(builder, fields, cell, partners, n_partners)
        words = _load(builder, bits, _number(0))
        drawn = builder.trunc(builder.lshr(words, _fill(builder, first_bit)), _vector(_I32))
        tables = builder.add(_load(builder, starts, _number(0)), builder.zext(codes, _vector(_I32)))
        labels = _draw(builder, drawn, tables, entries)
        firsts, numbers = own
        with cgutils.for_range(builder, n_own) as field:
            place = builder.add(builder.load(builder.gep(firsts, [field.index])), cell)
            row = builder.gep(numbers, [builder.mul(field.index, _number(_LABELS))])
            _store(builder, _look_up(builder, row, labels), fields, place)

    arguments = fields, cell, partners, n_partners, draws, entries, own, n_own
    return types.void(*arguments), _with_pointers(build)


@intrinsic
@no_type_check
def copy_row(typing_context, fields, cell, source):
    """Set `fields` [cells, lanes] at a cell to what they are at another."""

    def build(builder, fields, cell, source):
        _store(builder, _load(builder, fields, source), fields, cell)

    return types.void(fields, cell, source), _with_pointers(build)


def _with_pointers(build: Callable[..., None]):
    """Body of an intrinsic that gets pointers to the data of arrays, also of those in tuples."""

    def generate(context, builder, signature, arguments):
        def opened(kind, value):
            if isinstance(kind, types.BaseTuple):
                entries = cgutils.unpack_tuple(builder, value, len(kind))
                return [opened(*pair) for pair in zip(kind.types, entries, strict=True)]
            if isinstance(kind, types.Array):
                return context.make_array(kind)(context, builder, value).data
            return value

        pairs = zip(signature.args, arguments, strict=True)
        build(builder, *(opened(*pair) for pair in pairs))
        return context.get_dummy_value()

    return generate


def _sum_rows(builder, fields, cell, partners, n_partners):
    zero = _constant(_I16, 0)
    total = cgutils.alloca_once(builder, zero.type)
    builder.store(zero, total)
    with cgutils.for_range(builder, n_partners) as partner:
        away = builder.load(builder.gep(partners, [partner.index]))
        seen = _load(builder, fields, builder.add(cell, away))
        builder.store(builder.add(builder.load(total), seen), total)
    return builder.load(total)


def _draw(builder, drawn, tables, entries):
    """Labels by the alias method, see `_field_kernels`."""
    mask = _constant(_I32, _LABELS - 1)
    found = _gather(builder, entries, builder.add(tables, builder.and_(drawn, mask)))
    below = builder.icmp_unsigned("<", drawn, found)
    return builder.trunc(builder.and_(builder.select(below, drawn, found), mask), _vector(_I16))


def _look_up(builder, row, labels):
    """Entries of a row [4] for labels, by comparisons."""
    found = _fill(builder, builder.load(row))
    for label in range(1, _LABELS):
        number = _fill(builder, builder.load(builder.gep(row, [_number(label)])))
        equal = builder.icmp_unsigned("==", labels, _constant(_I16, label))
        found = builder.select(equal, number, found)
    return found


def _rotate_left(builder, words, distance):
    left = builder.shl(words, _constant(_I64, distance))
    return builder.or_(left, builder.lshr(words, _constant(_I64, 64 - distance)))


def _gather(builder, array, places):
    """Entries of an array at a place a lane."""
    steps = builder.mul(builder.zext(places, _vector(_I64)), _constant(_I64, _size(array)))
    addresses = builder.add(_fill(builder, builder.ptrtoint(array, _I64)), steps)
    pointers = builder.inttoptr(addresses, _vector(array.type))
    result = _vector(array.type.pointee)
    function = cgutils.get_or_insert_function(
        builder.module,
        ir.FunctionType(result, [pointers.type, _I32, _vector(_I1), result]),
        f"llvm.masked.gather.v{LANES}{array.type.pointee}.v{LANES}p0",
    )
    size, unset = ir.Constant(_I32, _size(array)), ir.Constant(result, ir.Undefined)
    return builder.call(function, [pointers, size, _constant(_I1, 1), unset])


def _load(builder, array, cell):
    return builder.load(_row(builder, array, cell), align=_size(array))


def _store(builder, value, array, cell):
    builder.store(value, _row(builder, array, cell), align=_size(array))


def _row(builder, array, cell):
    first = builder.gep(array, [builder.mul(cell, _number(LANES))])
    return builder.bitcast(first, _vector(array.type.pointee).as_pointer())


def _fill(builder, value):
    """The same value in all lanes."""
    unset = ir.Constant(_vector(value.type), ir.Undefined)
    first = builder.insert_element(unset, value, ir.Constant(_I32, 0))
    return builder.shuffle_vector(first, unset, _constant(_I32, 0))


def _vector(entry):
    return ir.VectorType(entry, LANES)


def _constant(entry, number):
    return ir.Constant(_vector(entry), [number] * LANES)


def _number(value):
    return ir.Constant(_I64, value)


def _size(array):
    return array.type.pointee.width // 8
