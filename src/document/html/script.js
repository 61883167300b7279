'use strict';(()=>{
const places=document.getElementById('places'),go=()=>{const id=location.hash.slice(1);if(!places||!id||document.getElementById(id))return;
for(const page of places.content.querySelectorAll('i')){const all=page.textContent;for(let at=0;at<all.length;at+=5)if(id.startsWith(all.slice(at,at+5))){location.replace(page.title+'#'+id);return}}};
addEventListener('hashchange',go);go();
const bar=document.querySelector('.bar');if(!bar)return;
const input=document.createElement('input'),told=document.createElement('output'),folds=document.querySelectorAll('details.th');
input.type='search';input.placeholder='Search this page';input.setAttribute('aria-label','Search this page');
if(folds.length){const button=document.createElement('button');let open=true;button.textContent='Fold threads';button.type='button';
button.onclick=()=>{open=!open;for(const fold of folds)fold.open=open;button.textContent=open?'Fold threads':'Unfold threads'};bar.append(button)}
bar.append(told,input);
const rows=[...document.querySelectorAll('article,.s,.list tbody tr')],groups=[...document.querySelectorAll('.g,.th')];
const plain=text=>text.normalize('NFKD').replace(/\p{M}/gu,'').toLowerCase();
let texts;const find=()=>{const wanted=plain(input.value.trim());texts??=rows.map(row=>plain((row.closest('.g')?.querySelector('.w')?.textContent??'')+' '+row.textContent));
let count=0;rows.forEach((row,at)=>{const is=!wanted||texts[at].includes(wanted);row.classList.toggle('hide',!is);count+=is});
for(const group of groups)group.classList.toggle('hide',!!wanted&&!group.querySelector('article:not(.hide)'));
told.textContent=wanted?count+(count===1?' found':' found'):'';
if(!CSS.highlights)return;CSS.highlights.clear();if(wanted.length<2)return;const ranges=[];
for(const row of rows){if(row.classList.contains('hide'))continue;const walk=document.createTreeWalker(row,4);for(let node;node=walk.nextNode();){const text=node.data.toLowerCase();for(let at=0;(at=text.indexOf(wanted,at))>=0&&ranges.length<5000;at+=wanted.length){const range=new Range();try{range.setStart(node,at);range.setEnd(node,at+wanted.length);ranges.push(range)}catch{}}}}
CSS.highlights.set('found',new Highlight(...ranges))};
let timer;input.oninput=()=>{clearTimeout(timer);timer=setTimeout(find,120)};
addEventListener('keydown',event=>{if(event.key==='/'&&!/^(INPUT|TEXTAREA)$/.test(document.activeElement.tagName)){event.preventDefault();input.focus()}
if(event.key==='Escape'&&document.activeElement===input){input.value='';find()}})})();
