// Instructions that the assembler has no name for, by register number, operands in its order: the result comes last.

// FSUB Vd.4S, Vn.4S, Vm.4S
#define FSUB4(m, n, d) WORD $(0x4EA0D400 | (m)<<16 | (n)<<5 | (d))
// FADD Vd.4S, Vn.4S, Vm.4S
#define FADD4(m, n, d) WORD $(0x4E20D400 | (m)<<16 | (n)<<5 | (d))
// FMUL Vd.4S, Vn.4S, Vm.4S
#define FMUL4(m, n, d) WORD $(0x6E20DC00 | (m)<<16 | (n)<<5 | (d))
// FADDP Vd.4S, Vn.4S, Vm.4S
#define FADDP4(m, n, d) WORD $(0x6E20D400 | (m)<<16 | (n)<<5 | (d))
// FCVTL Vd.4S, Vn.4H
#define FCVTL(n, d) WORD $(0x0E217800 | (n)<<5 | (d))
// FCVTL2 Vd.4S, Vn.8H
#define FCVTL2(n, d) WORD $(0x4E217800 | (n)<<5 | (d))
// SABD Vd.16B, Vn.16B, Vm.16B
#define SABD16(m, n, d) WORD $(0x4E207400 | (m)<<16 | (n)<<5 | (d))
// UABD Vd.16B, Vn.16B, Vm.16B
#define UABD16(m, n, d) WORD $(0x6E207400 | (m)<<16 | (n)<<5 | (d))
// SMULL Vd.8H, Vn.8B, Vm.8B
#define SMULL8(m, n, d) WORD $(0x0E20C000 | (m)<<16 | (n)<<5 | (d))
// SMULL2 Vd.8H, Vn.16B, Vm.16B
#define SMULL16(m, n, d) WORD $(0x4E20C000 | (m)<<16 | (n)<<5 | (d))
// SMLAL Vd.8H, Vn.8B, Vm.8B
#define SMLAL8(m, n, d) WORD $(0x0E208000 | (m)<<16 | (n)<<5 | (d))
// SMLAL2 Vd.8H, Vn.16B, Vm.16B
#define SMLAL16(m, n, d) WORD $(0x4E208000 | (m)<<16 | (n)<<5 | (d))
// UMULL Vd.8H, Vn.8B, Vm.8B
#define UMULL8(m, n, d) WORD $(0x2E20C000 | (m)<<16 | (n)<<5 | (d))
// UMULL2 Vd.8H, Vn.16B, Vm.16B
#define UMULL16(m, n, d) WORD $(0x6E20C000 | (m)<<16 | (n)<<5 | (d))
// SADALP Vd.4S, Vn.8H
#define SADALP4(n, d) WORD $(0x4E606800 | (n)<<5 | (d))
// UADALP Vd.4S, Vn.8H
#define UADALP4(n, d) WORD $(0x6E606800 | (n)<<5 | (d))
// SXTL Vd.8H, Vn.8B
#define SXTL8(n, d) WORD $(0x0F08A400 | (n)<<5 | (d))
// SXTL2 Vd.8H, Vn.16B
#define SXTL16(n, d) WORD $(0x4F08A400 | (n)<<5 | (d))
// SXTL Vd.4S, Vn.4H
#define SXTL4(n, d) WORD $(0x0F10A400 | (n)<<5 | (d))
// SXTL2 Vd.4S, Vn.8H
#define SXTL4H(n, d) WORD $(0x4F10A400 | (n)<<5 | (d))
// SCVTF Vd.4S, Vn.4S
#define SCVTF4(n, d) WORD $(0x4E21D800 | (n)<<5 | (d))

// Rows of scaled bytes: SCALE brings the scale of the row at row, of dim bytes, to all lanes of V23. SCALED16 turns the
// bytes in V20 into floats in V4 to V7, SCALED4 the first four into V4. They change V21 and V22.

#define SCALE(row, dim) \
	ADD   $3, dim, R4 \
	AND   $~3, R4 \
	ADD   row, R4 \
	FMOVS (R4), F23 \
	VDUP  V23.S[0], V23.S4

#define SCALED16 \
	SXTL8(20, 21) \
	SXTL16(20, 22) \
	SXTL4(21, 4) \
	SXTL4H(21, 5) \
	SXTL4(22, 6) \
	SXTL4H(22, 7) \
	SCVTF4(4, 4) \
	SCVTF4(5, 5) \
	SCVTF4(6, 6) \
	SCVTF4(7, 7) \
	FMUL4(23, 4, 4) \
	FMUL4(23, 5, 5) \
	FMUL4(23, 6, 6) \
	FMUL4(23, 7, 7)

#define SCALED4 \
	SXTL8(20, 21) \
	SXTL4(21, 4) \
	SCVTF4(4, 4) \
	FMUL4(23, 4, 4)

// A row routine takes the query in R0, the row in R1 and the dimension in R2, which it keeps. It leaves a float in F0
// or an integer in R3 and changes no general register above R15.

#define PAIR(routine) \
	MOVD a+0(FP), R0 \
	MOVD b+8(FP), R1 \
	MOVD dim+16(FP), R2 \
	BL   routine

// BATCH runs a row routine over the list. finish turns its result into a distance in F0. A row of dim<<shift + more
// bytes is asked for 16 rows ahead, or 8 if it is long: enough to keep memory busy.
#define BATCH(routine, shift, more, finish) \
	MOVD    query+0(FP), R19 \
	MOVD    base+8(FP), R20 \
	MOVD    stride+16(FP), R21 \
	MOVD    dim+24(FP), R2 \
	MOVD    ids_base+32(FP), R22 \
	MOVD    ids_len+40(FP), R23 \
	MOVD    out_base+56(FP), R24 \
	ADD     R23<<2, R22, R23 \
	MOVD    R22, R25 \
	LSL     $shift, R2, R16 \
	ADD     $more, R16 \
	ADD     $(4*16), R22, R17 \
	ADD     $(4*8), R22, R3 \
	CMP     $768, R16 \
	CSEL    GE, R3, R17, R17 \
	B       test \
ask: \
	CMP     R23, R17 \
	CSEL    HI, R23, R17, R3 \
	CMP     R3, R25 \
	BHS     compute \
	MOVWU.P 4(R25), R4 \
	MADD    R21, R20, R4, R4 \
	ADD     R16, R4, R5 \
	AND     $~63, R4 \
line: \
	PRFM    (R4), PLDL1KEEP \
	ADD     $64, R4 \
	CMP     R5, R4 \
	BLO     line \
	B       ask \
compute: \
	MOVWU.P 4(R22), R1 \
	MADD    R21, R20, R1, R1 \
	MOVD    R19, R0 \
	BL      routine \
	finish \
	FMOVS.P F0, 4(R24) \
	ADD     $4, R17 \
test: \
	CMP     R23, R22 \
	BLO     ask \
	RET

#define KEEP

#define FROM_ONE \
	FMOVS $1.0, F1 \
	FSUBS F0, F1, F0

#define TO_FLOAT \
	SCVTFWS R3, F0

#define FROM_ONE_TO_FLOAT \
	MOVD    $1, R4 \
	SUBW    R3, R4, R3 \
	SCVTFWS R3, F0
