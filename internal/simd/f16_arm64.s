//go:build !purego

#include "textflag.h"
#include "neon_arm64.h"
#include "float_arm64.h"

#define LOAD16 \
	VLD1.P 64(R0), [V0.S4, V1.S4, V2.S4, V3.S4] \
	VLD1.P 32(R1), [V20.H8, V21.H8] \
	FCVTL(20, 4) \
	FCVTL2(20, 5) \
	FCVTL(21, 6) \
	FCVTL2(21, 7)

#define LOAD4 \
	VLD1.P 16(R0), [V0.S4] \
	VLD1.P 8(R1), [V20.H4] \
	FCVTL(20, 4)

#define LOAD1 \
	FMOVS.P 4(R0), F1 \
	MOVHU.P 2(R1), R4 \
	FMOVS   R4, F2 \
	FCVTHS  F2, F2

TEXT l2Row<>(SB), NOSPLIT|NOFRAME, $0
	L2_ROW(LOAD16, LOAD4, LOAD1)

TEXT dotRow<>(SB), NOSPLIT|NOFRAME, $0
	DOT_ROW(LOAD16, LOAD4, LOAD1)

// func l2F16NEON(a, b unsafe.Pointer, dim int) float32
TEXT ·l2F16NEON(SB), NOSPLIT, $0-28
	PAIR(l2Row<>(SB))
	FMOVS F0, ret+24(FP)
	RET

// func dotF16NEON(a, b unsafe.Pointer, dim int) float32
TEXT ·dotF16NEON(SB), NOSPLIT, $0-28
	PAIR(dotRow<>(SB))
	FMOVS F0, ret+24(FP)
	RET

// func batchL2F16NEON(query, base unsafe.Pointer, stride uintptr, dim int, ids []uint32, out []float32)
TEXT ·batchL2F16NEON(SB), NOSPLIT, $0-80
	BATCH(l2Row<>(SB), 1, 0, KEEP)

// func batchIPF16NEON(query, base unsafe.Pointer, stride uintptr, dim int, ids []uint32, out []float32)
TEXT ·batchIPF16NEON(SB), NOSPLIT, $0-80
	BATCH(dotRow<>(SB), 1, 0, FROM_ONE)
