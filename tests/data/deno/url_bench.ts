Deno.bench("url parse", () => { new URL("https://a.example/x?y=1"); });
Deno.bench({ name: "sort", group: "arrays", baseline: true }, () => { [3,1,2].sort(); });
Deno.bench({ name: "sort in place", group: "arrays" }, () => { [3,1,2].sort((a,b)=>a-b); });
Deno.bench("throws", () => { throw new Error("no such thing"); });
Deno.bench({ name: "ignored one", ignore: true }, () => {});
