# The JSON form keeps every type: f32 and f64, bytes, tensors, wide integers, NaN, extensions.
. "$KIT"

cat >a.jsonl <<'END'
{"u":{"$int":"18446744073709551615"},"i":{"$int":"-9223372036854775808"},"safe":9007199254740992}
{"f":{"$f32":0.1},"d":0.1,"fs":{"$f32":[0.1,1.0]},"ds":[0.1,1.0],"logp":[-0.1,{"$f32":"nan"}],"ref":{"$f64":[0.1]}}
{"nan":{"$f64":"nan"},"bits":{"$f64":"0xfff0000000000001"},"inf":{"$f32":"-inf"},"big":1e+308,"tiny":4.94065645841247e-324}
{"b":{"$bin":"AAEC/w=="},"e":{"$bin":""},"bad":{"$str":"/w=="},"x":{"$ext":[-1,"AAAAAA=="]}}
{"t":{"$nd":[2,3],"type":"<f4","data":[[0.1,1.0,-0.0],["nan","inf","0x7fc00001"]]},"s":{"$nd":[],"type":"<f4","data":1.5}}
{"h":{"$nd":[4],"type":"<f2","data":[0.099975586,65504.0,5.9604645e-08,"-inf"]},"z":{"$nd":[0,7],"type":"<i4","data":[]}}
{"i4":{"$nd":[2],"type":"<i4","data":[-2147483648,7]},"u1":{"$nd":[1,2],"type":"|u1","data":[[0,255]]}}
{"m":{"$map":[[1,"one"],["a",2],["a",3]]},"odd":{"$map":[["$bin","no tag"]]},"nul":"a\u0000b","esc":"\u0085\u001b\"\\/é😀"}
END
cp a.jsonl want
cagsr-cat -s a.jsonl | cagsr-cat | diff want - && echo exact
cagsr-cat -s a.jsonl >once
cagsr-cat once | cagsr-cat -s | cagsr-cat | diff want - && echo twice
cagsr-cat -p a.jsonl
for bad in '{"a":{"$f32":"x"}}' '{"a":{"$int":"99999999999999999999"}}' '{"a":{"$bin":"A"}}' \
    '{"a":{"$nd":[2],"type":"<f4","data":[1]}}' '{"a":{"$nd":[1],"type":"|O","data":[1]}}' \
    '{"a":{"$ext":[300,""]}}' '{"a":1,"a":2}' '[1]' '{"a":99999999999999999999}'; do
    echo "$bad" >bad
    status cagsr-cat bad
done
